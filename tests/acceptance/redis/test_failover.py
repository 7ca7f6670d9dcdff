"""The master dies, or is replaced on purpose, under load: nothing acknowledged is lost, and both services follow.

What the master did not confirm lies in the spool, and may be handled twice: a master can hand an event to the processor and
die before a replica has it. Its idempotency key is the same then.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hookline_shared.topics import MESSAGES
from tests.acceptance.support.load import Load, assert_nothing_lost
from tests.acceptance.support.pair import Pair, started_pair
from tests.support.processes.services import Services
from tests.support.servers.cluster_set import ClusterSet
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.sentinel_set import SentinelSet
from tests.support.storage.keys import keys

SENDERS, RATE = 60, 300.0
KEY = keys.topic(0, MESSAGES)
REPLICATED = {"INGRESS_DURABILITY": "replica", "INGRESS_WRITE_BUDGET_MS": "250", "INGRESS_SPOOL_PATH": "spool.db"}


class Timeline:
    """When something happened, in seconds after the master was killed."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._start


async def deliver_during_failover(
    pair: Pair,
    kill: Callable[[], RedisServer],
    wait_new_master: Callable[[RedisServer], object],
    revive: Callable[[RedisServer], None],
) -> None:
    """Deliver 300 webhooks per second while a master dies, is replaced, and comes back as a replica."""
    load = Load(pair, SENDERS, each=10**9, rate=RATE)
    running = asyncio.create_task(load.run())
    await load.reach(int(2 * RATE))
    old = await asyncio.to_thread(kill)
    times = Timeline()
    await asyncio.to_thread(wait_new_master, old)
    replaced = times.now()
    await asyncio.to_thread(revive, old)
    await pair.ingress.probe("readyz", 200)
    await pair.processor.probe("readyz", 200)
    ready = times.now()
    await load.reach(len(load.acknowledged) + int(2 * RATE))
    load.end()
    await running
    await assert_nothing_lost(load, pair)
    assert pair.refused == 0
    print(f"new master after {replaced:.2f} s, both services ready {ready - replaced:.2f} s later, without a restart")


async def test_master_behind_sentinels_dies(sentinel_set: SentinelSet, services: Services, tmp_path: Path) -> None:
    """With `replica` durability an acknowledged webhook survives the death of the master that took it."""
    async with started_pair(sentinel_set, services, tmp_path, settings=REPLICATED) as pair:
        await deliver_during_failover(
            pair, lambda: killed(sentinel_set.master), sentinel_set.wait_new_master, sentinel_set.revive
        )


async def test_master_in_a_cluster_dies(cluster_set: ClusterSet, services: Services, tmp_path: Path) -> None:
    """The same in a cluster, where the other masters go on meanwhile."""
    async with started_pair(cluster_set, services, tmp_path, settings=REPLICATED) as pair:
        await deliver_during_failover(
            pair,
            lambda: killed(cluster_set.master_of(KEY)),
            lambda old: cluster_set.wait_new_master(KEY, old),
            cluster_set.revive,
        )


@pytest.mark.parametrize("topology", ["sentinel_set", "cluster_set"])
async def test_planned_failover(request: pytest.FixtureRequest, topology: str, services: Services, tmp_path: Path) -> None:
    """A replica takes over while everybody lives, as for maintenance: the webhooks go on to the new master."""
    servers: SentinelSet | ClusterSet = request.getfixturevalue(topology)
    async with started_pair(servers, services, tmp_path, settings={"INGRESS_WRITE_BUDGET_MS": "250"}) as pair:
        load = Load(pair, SENDERS, each=10**9, rate=RATE)
        running = asyncio.create_task(load.run())
        await load.reach(int(RATE))
        await asyncio.to_thread(servers.fail_over, KEY)
        await load.reach(len(load.acknowledged) + int(RATE))
        load.end()
        await running
        await assert_nothing_lost(load, pair)


def killed(server: RedisServer) -> RedisServer:
    """Kill `server`; return it."""
    server.kill()
    return server
