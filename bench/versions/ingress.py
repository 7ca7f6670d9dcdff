"""What a webhook costs ingress in each version."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final, NamedTuple, cast

from bench.environment import Environment
from bench.errors import NoAnswerError, TooSlowError
from bench.load import webhooks
from bench.load.http_reply import is_whole, status_of
from bench.load.private_ingress import ingress_settings
from bench.system.machine import cpu_seconds
from bench.system.private_redis import PrivateRedis, private_redis
from bench.system.probes import is_ready
from bench.system.processes import Child, free_port, module, running
from bench.versions.comparison import Costs
from bench.versions.sources import Source

_CONNECTIONS: Final = 64
_BURST: Final = 640
"""Webhooks: some 50 ms of CPU time, so that the machine is the same for all versions of a round."""
_WARM_UP: Final = 10
"""Bursts before the first round."""
_TIMEOUT_S: Final = 30.0


class Target(NamedTuple):
    """The ingress of a version under load, with a Redis of its own."""

    name: str
    child: Child
    port: int
    redis: PrivateRedis


def webhook_costs(environment: Environment, sources: Sequence[Source], rounds: int) -> Costs:
    """Return the CPU time of a webhook: each version runs all the time, and gets a burst of webhooks in turn.

    Raises:
        BenchError: if a version does not start, ends, or does not accept all.

    """
    with ExitStack() as stack:
        environment.progress.doing("starting ingress")
        targets = [stack.enter_context(_ingress(environment, one, number)) for number, one in enumerate(sources)]
        return asyncio.run(_measure(environment, targets, rounds))


async def _measure(environment: Environment, targets: Sequence[Target], rounds: int) -> Costs:
    costs = Costs("a webhook", {one.name: [] for one in targets})
    loads = [await Load.connect(one) for one in targets]
    numbers = iter(range(0, (rounds + _WARM_UP) * len(loads) * _BURST, _BURST))
    for number in range(-_WARM_UP, rounds):
        environment.progress.doing(f"webhooks, round {max(number, 0)}/{rounds}")
        for load in loads if number % 2 else reversed(loads):
            used = await load.burst(next(numbers))
            if number >= 0:
                costs.add(load.target.name, used)
    return costs


@contextmanager
def _ingress(environment: Environment, source: Source, number: int) -> Iterator[Target]:
    """Run the ingress of a version."""
    port, admin_port = free_port(), free_port()
    directory = environment.directory / f"ingress-{number}"
    directory.mkdir()
    with private_redis(directory, environment.cores.rest) as redis:
        settings = ingress_settings(redis.url, port, admin_port, directory / "spool.db") | source.variables()
        with running("ingress", module("hookline_ingress"), directory, environment.cores.service, settings) as child:
            child.wait_until(partial(is_ready, admin_port))
            yield Target(source.name, child, port, redis)


class Load:
    """Sends bursts to `target` over connections that stay open."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._connections: list[Connection] = []
        self._requests: Iterator[bytes] = iter(())
        self._unanswered = 0
        self._failures: dict[str, int] = {}
        self._over = asyncio.Event()

    @classmethod
    async def connect(cls, target: Target) -> "Load":
        """Open the connections."""
        load, loop = cls(target), asyncio.get_running_loop()
        for _ in range(_CONNECTIONS):
            _, connection = await loop.create_connection(lambda: Connection(load), "127.0.0.1", target.port)
            load._connections.append(connection)
        return load

    async def burst(self, first: int) -> float | None:
        """Send the webhooks from number `first` on; return the microseconds of CPU time that each took, None if unknown.

        Raises:
            BenchError: if not all are accepted.

        """
        self.target.redis.empty()
        self._requests = iter([webhooks.request(number) for number in range(first, first + _BURST)])
        self._unanswered, self._failures = _BURST, {}
        self._over.clear()
        before = cpu_seconds(self.target.child.pid)
        for connection in self._connections:
            connection.send_next()
        try:
            await asyncio.wait_for(self._over.wait(), _TIMEOUT_S)
        except TimeoutError:
            self.target.child.check()
            raise TooSlowError(f"{self.target.name} did not answer", _TIMEOUT_S, self.target.child.written()) from None
        after = cpu_seconds(self.target.child.pid)
        if self._failures:
            raise NoAnswerError(self.target.name, self._failures, self.target.child.written())
        return None if before is None or after is None else (after - before) / _BURST * 1e6

    def next_request(self) -> bytes | None:
        """Return the next request of the burst, None if there is none."""
        return next(self._requests, None)

    def answered(self, how: str | None) -> None:
        """Count an answer; `how` is its status if it is none of 2xx."""
        if how is not None:
            self._failures[how] = self._failures.get(how, 0) + 1
        self._unanswered -= 1
        if not self._unanswered:
            self._over.set()


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._reply = b""
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep `transport`."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def send_next(self) -> None:
        """Send the next request of the burst, if there is one."""
        request = self._load.next_request()
        self._waiting = request is not None
        if request is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Count the reply once it is whole, and send the next request."""
        self._reply += data
        if is_whole(self._reply):
            reply, self._reply = self._reply, b""
            self._waiting = False
            self._load.answered(None if reply.startswith(b"HTTP/1.1 2") else status_of(reply))
            self.send_next()

    def connection_lost(self, _error: Exception | None) -> None:
        """Count a request that was under way as failed."""
        if self._waiting:
            self._load.answered("connection lost")
