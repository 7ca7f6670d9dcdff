"""Both services killed again and again under load.

HOOKLINE_KILL_WEBHOOKS is how many webhooks one server takes meanwhile: `make kills` sends 20 000.
"""

import asyncio
import os

import pytest

from tests.acceptance.support.load import Load, assert_nothing_lost_or_doubled
from tests.acceptance.support.pair import Pair
from tests.support.processes.service_process import ServiceProcess

SENDERS = 100
KILLS = 3
WEBHOOKS = int(os.environ.get("HOOKLINE_KILL_WEBHOOKS", "6000"))


async def kill_and_restart(load: Load, service: ServiceProcess, webhooks: int, offset: float) -> None:
    """Kill `service` at even distances of the load's progress, restarting it each time."""
    for number in range(KILLS):
        await load.reach(int(webhooks * (number + offset) / KILLS))
        await service.kill()
        await service.start()


async def deliver_through_kills(pair: Pair, webhooks: int) -> None:
    load = Load(pair, SENDERS, webhooks // SENDERS)
    await asyncio.gather(
        load.run(),
        kill_and_restart(load, pair.ingress, webhooks, offset=0.3),
        kill_and_restart(load, pair.processor, webhooks, offset=0.6),
    )
    assert len(load.acknowledged) == webhooks
    await assert_nothing_lost_or_doubled(load, pair)


async def test_thousands_of_webhooks_through_six_kills(single_pair: Pair) -> None:
    """Every acknowledged webhook is handled, duplicates are one event, senders keep their order, and nothing is left over."""
    await deliver_through_kills(single_pair, WEBHOOKS)


@pytest.mark.parametrize("backend", ["sentinel_set", "cluster_set"], ids=["sentinel", "cluster"], indirect=True)
async def test_kills_on_every_topology(pair: Pair) -> None:
    """It makes no difference how many Redis servers there are."""
    await deliver_through_kills(pair, 2_000)
