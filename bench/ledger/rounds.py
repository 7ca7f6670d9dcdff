"""A backlog settled without a ledger, and with one in each database; then how fast what it left behind is written.

The processor has a core to itself, so what the ledger takes is seen in its rate. Once all is settled the ledger has that core.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from bench.drain.backlog import Backlog
from bench.errors import TooSlowError
from bench.system.machine import Cores, cpu_seconds
from bench.system.private_redis import PrivateRedis
from bench.system.probes import is_ready
from bench.system.processes import Child, free_port, module, running
from hookline_shared.redis_keys import Keys

_PARTITIONS: Final = 8
_KEYS: Final = Keys()
_LOOK_S: Final = 0.02
_STALLED_S: Final = 30.0


class Round(NamedTuple):
    """One backlog. Rates are events per second; those of CPU count only the seconds that the processor itself had."""

    settled: float
    settled_cpu: float
    written: float | None
    written_cpu: float | None
    left: int


class LedgerRounds:
    """Settles `events` events at a time."""

    def __init__(self, directory: Path, cores: Cores, redis: PrivateRedis, events: int) -> None:
        self._directory = directory
        self._cores = cores
        self._redis = redis
        self._events = events
        self._backlog = Backlog(redis, _PARTITIONS)

    def run(self, database_url: str | None) -> Round:
        """Settle a backlog with a ledger in that database, or without one.

        Raises:
            BenchError: if the processor ends, or gets nowhere for 30 s.

        """
        self._backlog.fill(self._events)
        admin_port = free_port()
        settings = {
            "REDIS_URL": self._redis.url,
            "HOOKLINE_PARTITIONS": str(_PARTITIONS),
            "PROCESSOR_HANDLERS": "bench.drain.handlers:noop",
            "PROCESSOR_ADMIN_PORT": str(admin_port),
            "LOG_LEVEL": "warning",
            **({} if database_url is None else {"HOOKLINE_LEDGER_URL": database_url}),
        }
        with running("processor", module("hookline_processor"), self._directory, self._cores.service, settings) as child:
            settled = _Drain(child, self._backlog.entries)
            settled_rate, settled_cpu = settled.rate()
            left = self._waiting()
            written, written_cpu = _Drain(child, self._waiting).rate() if left else (None, None)
            child.wait_until(partial(is_ready, admin_port))
        return Round(settled_rate, settled_cpu, written, written_cpu, left)

    def _waiting(self) -> int:
        return sum(int(self._redis.client.xlen(_KEYS.ledger(partition))) for partition in range(_PARTITIONS))


class _Drain:
    """Times how the number that `left` returns falls to 0."""

    def __init__(self, child: Child, left: Callable[[], int]) -> None:
        self._child = child
        self._left = left

    def rate(self) -> tuple[float, float]:
        """Return how much went per second, and per second of the process' CPU time, from the first that goes to the last."""
        first = self._left()
        before = self._wait_below(first)
        began, used = time.perf_counter(), cpu_seconds(self._child.pid) or 0.0
        left = before
        while left:
            left = self._wait_below(left)
        seconds, cpu_s = time.perf_counter() - began, (cpu_seconds(self._child.pid) or 0.0) - used
        return before / seconds, before / cpu_s if cpu_s else 0.0

    def _wait_below(self, entries: int) -> int:
        deadline = time.perf_counter() + _STALLED_S
        while (left := self._left()) >= entries:
            self._child.check()
            if time.perf_counter() > deadline:
                raise TooSlowError("The processor got nowhere", _STALLED_S, self._child.written())
            time.sleep(_LOOK_S)
        return left


def ratios(rounds: Mapping[str, list[Round]], of: str, to: str) -> list[float]:
    """Return the settling rate of one way as a share of another's, round by round."""
    return [one.settled / other.settled for one, other in zip(rounds[of], rounds[to], strict=True)]
