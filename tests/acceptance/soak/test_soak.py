"""A long run under load in which something goes wrong every few seconds. `make soak` makes it long; the numbers are printed."""

import asyncio
import math
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.soak.faults import FaultInjector
from tests.acceptance.support.load import Load, assert_nothing_lost_or_doubled
from tests.acceptance.support.pair import Pair, started_pair
from tests.support.faults.fault_proxy import FaultProxy
from tests.support.processes.command import Command
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer
from tests.support.time.settable_clock import SettableClock
from tests.support.waiting import until, until_answer

DURATION_S: Final = float(os.environ.get("HOOKLINE_SOAK_S", "12"))
SEED: Final = int(os.environ.get("HOOKLINE_SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
LONG: Final = DURATION_S >= 60
"""Whether there is time for faults that start processes."""
SENDERS: Final = 60
RATE: Final = 150.0
POOLS: Final = {"ingress": 16, "processor": 24}
"""The most connections that each service may have."""
LEAST_LEAK_MB: Final = 25.0
SETTINGS: Final = {
    "INGRESS_WRITE_BUDGET_MS": "250",
    "INGRESS_SPOOL_PATH": "spool.db",
    "INGRESS_MAX_BODY": "2000000",
    "REDIS_COMMAND_TIMEOUT_S": "1",
    "PROCESSOR_HANDLERS": "tests.acceptance.soak.handlers:handlers",
    "PROCESSOR_MAX_ATTEMPTS": "50",
    "PROCESSOR_UNHANDLED_WAIT_S": "3600",
}


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


@pytest.fixture
def server_clock(tmp_path: Path) -> SettableClock | None:
    """Return the clock of the server, None where there is no C compiler."""
    return SettableClock(tmp_path) if shutil.which("cc") else None


@pytest.fixture
def server(server_clock: SettableClock | None) -> Iterator[RedisServer]:
    """Yield a server to kill and pause, with a clock of its own; what it took survives a crash."""
    environment = server_clock.environment if server_clock else None
    with RedisServer({"appendonly": "yes", "appendfsync": "always"}, environment) as server:
        yield server


async def test_random_faults(
    server: RedisServer, server_clock: SettableClock | None, services: Services, tmp_path: Path
) -> None:
    """Whatever goes wrong, nothing acknowledged is lost, and no task, file, connection or memory is."""
    print(f"\nseed {SEED}, {DURATION_S:g} s")
    async with (
        FaultProxy(server.port) as proxy,
        started_pair(server, services, tmp_path, url=proxy.url, settings=SETTINGS) as pair,
    ):
        warm_up = Load(pair, SENDERS, each=20, prefix="+1415556")
        await warm_up.run()
        await until(pair.settled, "the warm-up is settled")
        before = await resource_usage(pair)
        command = Command(tmp_path, server.url)
        load = await faults_under_load(pair, FaultInjector(pair, proxy, server, server_clock, command, SEED, long=LONG))
        await assert_nothing_lost_or_doubled(load, pair)
        after = await until_answer(
            lambda: resource_usage(pair), lambda now: as_few_tasks(now, before), f"as few tasks as in {before}"
        )
    print(f"before {before}\nafter  {after}")
    for name, first in before.items():
        assert after[name].connections <= POOLS[name]
        assert after[name].files <= first.files + POOLS[name]
        assert after[name].window_mb <= first.window_mb + LEAST_LEAK_MB


async def faults_under_load(pair: Pair, faults: FaultInjector) -> Load:
    """Deliver messages while faults happen; return what was delivered, once both services are well again."""
    load = Load(pair, SENDERS, each=10**9, rate=RATE)
    running = asyncio.create_task(load.run())
    for minute in range(math.ceil(DURATION_S / 60)):
        await faults.make(min(60.0, DURATION_S - 60 * minute))
        print(
            f"minute {minute + 1}: {len(load.acknowledged)} acknowledged, {pair.refused} refused, {await resource_usage(pair)}"
        )
    await pair.ingress.probe("readyz", 200)
    await pair.processor.probe("readyz", 200)
    load.end()
    await running
    load.acknowledged += faults.delivered
    await faults.end_waiting()
    made = Counter(faults.made)
    print(f"{made.total()} faults: {', '.join(f'{number} {name}' for name, number in sorted(made.items()))}")
    return load


def as_few_tasks(now: dict[str, ResourceUsage], before: dict[str, ResourceUsage]) -> bool:
    """Whether no service has more tasks than before; some come and go even at rest, so ask until it is so."""
    return all(now[name].tasks <= first.tasks for name, first in before.items())


async def resource_usage(pair: Pair) -> dict[str, ResourceUsage]:
    """Return the resource usage of both services."""
    return {"ingress": await ResourceUsage.of(pair.ingress), "processor": await ResourceUsage.of(pair.processor)}
