"""What an event costs the processor in each version."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final, NamedTuple

from bench.drain.backlog import Backlog, append
from bench.drain.hookline import HooklineDrain, Setting
from bench.environment import Environment
from bench.errors import TooSlowError
from bench.system.machine import cpu_seconds
from bench.system.private_redis import PrivateRedis, private_redis
from bench.system.processes import Child
from bench.versions.comparison import Costs
from bench.versions.sources import Source

_PARTITIONS: Final = 8
_BURST: Final = 2_000
"""Events: some 100 ms of CPU time, so that the machine is the same for all versions of a round."""
_WARM_UP: Final = 5
"""Bursts before the first round."""
_TIMEOUT_S: Final = 30.0
_LOOK_S: Final = 0.005


class Target(NamedTuple):
    """The processor of a version at work, with a Redis of its own."""

    name: str
    child: Child
    redis: PrivateRedis


def event_costs(environment: Environment, sources: Sequence[Source], rounds: int) -> Costs:
    """Return the CPU time of an event whose handler does nothing: each version runs all the time, and gets a burst in turn.

    Raises:
        BenchError: if a version does not start, ends, or does not handle all.

    """
    costs = Costs("an event", {one.name: [] for one in sources})
    with ExitStack() as stack:
        environment.progress.doing("starting the processor")
        targets = [stack.enter_context(_processor(environment, one, number)) for number, one in enumerate(sources)]
        numbers = iter(range(0, (rounds + _WARM_UP) * len(targets) * _BURST, _BURST))
        for number in range(-_WARM_UP, rounds):
            environment.progress.doing(f"events, round {max(number, 0)}/{rounds}")
            for target in targets if number % 2 else reversed(targets):
                used = _burst(target, next(numbers))
                if number >= 0:
                    costs.add(target.name, used)
    return costs


@contextmanager
def _processor(environment: Environment, source: Source, number: int) -> Iterator[Target]:
    """Run the processor of a version."""
    directory = environment.directory / f"processor-{number}"
    directory.mkdir()
    with private_redis(directory, environment.cores.rest) as redis:
        own = environment._replace(directory=directory, redis=redis)
        drain = HooklineDrain(own, Setting(source.name, 0, _PARTITIONS, variables=source.variables()))
        with drain.work() as (child,):
            yield Target(source.name, child, redis)


def _burst(target: Target, first: int) -> float | None:
    """Append events from number `first` on, and wait until all are settled; return the microseconds of CPU time that each took.

    Raises:
        BenchError: if the process ends, or does not settle all within 30 s.

    """
    backlog, deadline = Backlog(target.redis, _PARTITIONS), time.monotonic() + _TIMEOUT_S
    before = cpu_seconds(target.child.pid)
    asyncio.run(append(target.redis.url, _PARTITIONS, _BURST, first=first))
    while backlog.entries():
        target.child.check()
        if time.monotonic() > deadline:
            raise TooSlowError(f"{target.name} did not handle {_BURST} events", _TIMEOUT_S, target.child.written())
        time.sleep(_LOOK_S)
    after = cpu_seconds(target.child.pid)
    return None if before is None or after is None else (after - before) / _BURST * 1e6
