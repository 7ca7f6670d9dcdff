"""The systems under fault: Hookline, a receiver with an XADD, or one service that does the work inside the request."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from bench.environment import Environment
from bench.faults.redis import FaultyRedis
from bench.load import webhooks
from bench.load.private_ingress import ingress_settings
from bench.losses.record import read
from bench.system.probes import accepts, is_ready
from bench.system.processes import Child, free_port, module, running

HOOKLINE: Final = "Hookline"
RECEIVER: Final = "aiohttp + XADD"
INLINE: Final = "in the request"
_STREAM: Final = b"webhooks"
"""Where the receiver appends: `STREAM` of bench/peers/receiver.py, which only the peers can import."""
_DIGITS: Final = 8
"""Of the number at the end of a SID."""


class Subject:
    """The services of one trial. `port` takes webhooks; `kill_worker` kills and restarts the process with the handler."""

    has_handler = True

    def __init__(self, environment: Environment, stack: ExitStack, redis: FaultyRedis, record: Path) -> None:
        self.port = free_port()
        self._environment = environment
        self._stack = stack
        self.redis = redis
        self._record = record
        self._worker: Child | None = None

    def kill_worker(self, away_s: float) -> None:
        """Kill the process that runs the handler; restart it after a while."""
        if self._worker is not None:
            self._worker.kill()
        time.sleep(away_s)
        self._worker = self.start_worker()

    def open(self) -> None:
        """Start everything."""
        self._worker = self.start_worker()

    def start_worker(self) -> Child:
        """Start the process that runs the handler."""
        raise NotImplementedError

    def done(self) -> set[int]:
        """Return the numbers of the messages that were handled."""
        return set(read(self._record).done)

    def _run(self, name: str, command: Sequence[str], settings: Mapping[str, str], core: int | None) -> Child:
        record = {"BENCH_RECORD": str(self._record)}
        return self._stack.enter_context(running(name, command, self._environment.directory, core, {**record, **settings}))


class HooklineSubject(Subject):
    """Both services; the processor shares the core of Redis and the load."""

    def open(self) -> None:
        """Start ingress, then the processor."""
        admin_port = free_port()
        settings = ingress_settings(self.redis.url, self.port, admin_port, self._environment.directory / "spool-faults.db")
        ingress = self._run("ingress", module("hookline_ingress"), settings, self._environment.cores.service)
        ingress.wait_until(lambda: is_ready(admin_port))
        super().open()

    def start_worker(self) -> Child:
        """Start the processor."""
        admin_port = free_port()
        settings = {
            "REDIS_URL": self.redis.url,
            "PROCESSOR_HANDLERS": "bench.losses.handlers:handlers",
            "PROCESSOR_ADMIN_PORT": str(admin_port),
            "LOG_LEVEL": "error",
        }
        child = self._run("processor", module("hookline_processor"), settings, self._environment.cores.rest)
        child.wait_until(lambda: is_ready(admin_port))
        return child


class OneServiceSubject(Subject):
    """One service, the program `app` of bench/peers."""

    app: str

    def start_worker(self) -> Child:
        """Start the service."""
        settings = {
            "REDIS_URL": self.redis.url,
            "BENCH_PUBLIC_URL": webhooks.PUBLIC_URL,
            "BENCH_TARGET": webhooks.TARGET,
            "BENCH_TOKEN": webhooks.TOKEN,
        }
        command = [*module(self.app), str(self.port)]
        child = self._run("service", command, settings, self._environment.cores.service)
        child.wait_until(lambda: accepts(self.port))
        return child


class InlineSubject(OneServiceSubject):
    """It does the work before it answers."""

    app = "bench.peers.inline.app"


class ReceiverSubject(OneServiceSubject):
    """It answers when Redis has the webhook; what is in the stream counts as handled, because no handler runs beside it."""

    app = "bench.peers.naive_aiohttp.app"
    has_handler = False

    def done(self) -> set[int]:
        """Return the numbers of the messages in the stream."""
        with closing(self.redis.client()) as client:
            entries: Any = client.xrange(_STREAM)  # its type allows for what RESP2 never returns
        return {int(fields[b"MessageSid"][-_DIGITS:], base=16) for _, fields in entries}


STAGES: Final = {HOOKLINE: HooklineSubject, RECEIVER: ReceiverSubject, INLINE: InlineSubject}
