"""A long run under load in which something goes wrong every few seconds. `make soak` makes it long; the numbers are printed."""

import asyncio
import math
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.support.load import Load, assert_nothing_lost_or_doubled
from tests.acceptance.support.pair import Pair, started_pair
from tests.support.faults.fault_proxy import FaultProxy
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until, until_answer

DURATION_S = float(os.environ.get("HOOKLINE_SOAK_S", "12"))
SEED = int(os.environ.get("HOOKLINE_SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
SENDERS, RATE = 60, 150.0
POOLS = {"ingress": 16, "processor": 24}
"""The most connections that each service may have."""
LEAST_LEAK_MB = 25.0
LONGEST_FAULT_S = 3.0
LONGEST_CALM_S = 3.0
"""Faults and the calm between them last up to so long; what is random here is the test's input, printed with its seed."""

_ERRORS = (
    "LOADING Redis is loading the dataset in memory",
    "READONLY You can't write against a read only replica.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOAUTH Authentication required.",
    "MOVED 1 127.0.0.1:1",
)


@dataclass
class ResourceUsage:
    """The resources of a service at one time. Growth between two times of rest is a leak."""

    tasks: int
    files: int
    connections: int
    window_mb: float

    @classmethod
    async def of(cls, service: ServiceProcess) -> "ResourceUsage":
        """Read the service's own metrics."""
        found = await service.metrics()
        connections = sum(value for name, value in found.items() if name.startswith("hookline_redis_pool_connections"))
        window_mb = found["process_resident_memory_bytes"] / 1e6
        return cls(int(found["hookline_tasks"]), int(found["process_open_fds"]), int(connections), window_mb)


class FaultInjector:
    """Injects one random fault after the other."""

    def __init__(self, proxy: FaultProxy, server: RedisServer) -> None:
        self._proxy = proxy
        self._server = server
        self._random = random.Random(SEED)
        self.made: list[str] = []

    async def make(self, duration_s: float) -> None:
        """Make faults for `duration_s` seconds."""
        faults: list[Callable[[], Awaitable[None]]] = [
            self.slow, self.stall, self.cut, self.refuse, self.half_open, self.truncate, self.error, self.pause, self.crash,
        ]  # fmt: skip
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            await asyncio.sleep(self._random.uniform(0.2, LONGEST_CALM_S))
            fault = self._random.choice(faults)
            self.made.append(fault.__name__)
            await fault()
            self._proxy.heal()

    async def last(self) -> None:
        await asyncio.sleep(self._random.uniform(0.1, LONGEST_FAULT_S))

    async def slow(self) -> None:
        self._proxy.delay(self._random.uniform(0.05, 0.6))
        await self.last()

    async def stall(self) -> None:
        self._proxy.stall()
        await self.last()

    async def cut(self) -> None:
        self._proxy.cut()

    async def refuse(self) -> None:
        self._proxy.refuse()
        await self.last()

    async def half_open(self) -> None:
        self._proxy.half_open()

    async def truncate(self) -> None:
        self._proxy.truncate(self._random.randrange(1, 40))
        await self.last()

    async def error(self) -> None:
        self._proxy.answer(self._random.choice(_ERRORS), {"EVALSHA", "EVAL", "XREADGROUP", "HMGET", "LPUSHX"})
        await self.last()

    async def pause(self) -> None:
        self._server.pause()
        await self.last()
        self._server.resume()

    async def crash(self) -> None:
        self._server.kill()
        await self.last()
        await asyncio.to_thread(self._server.start)


async def test_random_faults(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """Whatever goes wrong, nothing acknowledged is lost, and no task, file, connection or memory is."""
    print(f"\nseed {SEED}, {DURATION_S:g} s")
    settings = {"INGRESS_WRITE_BUDGET_MS": "250", "INGRESS_SPOOL_PATH": "spool.db", "REDIS_COMMAND_TIMEOUT_S": "1"}
    async with (
        FaultProxy(own_redis.port) as proxy,
        started_pair(own_redis, services, tmp_path, url=proxy.url, settings=settings) as pair,
    ):
        warm_up = Load(pair, SENDERS, each=20, prefix="+1415556")
        await warm_up.run()
        await until(pair.settled, "the warm-up is settled")
        before = await resource_usage(pair)
        load = await faults_under_load(pair, FaultInjector(proxy, own_redis))
        await assert_nothing_lost_or_doubled(load, pair)
        after = await until_answer(
            lambda: resource_usage(pair), lambda now: as_few_tasks(now, before), f"as few tasks as in {before}"
        )
    print(f"before {before}\nafter  {after}")
    for name, first in before.items():
        assert after[name].connections <= POOLS[name]
        assert after[name].files <= first.files + POOLS[name]
        assert after[name].window_mb <= first.window_mb + LEAST_LEAK_MB


async def faults_under_load(pair: Pair, trouble: FaultInjector) -> Load:
    """Deliver messages while faults happen; return what was delivered, once both services are well again."""
    load = Load(pair, SENDERS, each=10**9, rate=RATE)
    running = asyncio.create_task(load.run())
    for minute in range(math.ceil(DURATION_S / 60)):
        await trouble.make(min(60.0, DURATION_S - 60 * minute))
        print(
            f"minute {minute + 1}: {len(load.acknowledged)} acknowledged, {pair.refused} refused, {await resource_usage(pair)}"
        )
    await pair.ingress.probe("readyz", 200)
    await pair.processor.probe("readyz", 200)
    load.end()
    await running
    print(f"{len(trouble.made)} faults: {', '.join(trouble.made)}")
    return load


def as_few_tasks(now: dict[str, ResourceUsage], before: dict[str, ResourceUsage]) -> bool:
    """Whether no service has more tasks than before; some come and go even at rest, so ask until it is so."""
    return all(now[name].tasks <= first.tasks for name, first in before.items())


async def resource_usage(pair: Pair) -> dict[str, ResourceUsage]:
    """Return the resource usage of both services."""
    return {"ingress": await ResourceUsage.of(pair.ingress), "processor": await ResourceUsage.of(pair.processor)}
