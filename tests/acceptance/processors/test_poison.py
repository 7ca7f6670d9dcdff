"""An event that kills the process at every attempt."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.support.pair import Pair, started_pair
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio, Webhook
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until

MOST_DEATHS = 4
INNOCENT = 20


def texted(body: str, number: int) -> Webhook:
    return Twilio().webhook(message(Body=body, From=f"+1415555{number:04d}"))


@pytest.fixture
async def pair(own_redis: RedisServer, services: Services, tmp_path: Path) -> AsyncIterator[Pair]:
    """Yield a pair whose processor soon takes over from one that has died."""
    async with started_pair(own_redis, services, tmp_path, settings={"PROCESSOR_LEASE_S": "1"}) as pair:
        yield pair


async def test_poison_is_set_aside_after_some_deaths(pair: Pair) -> None:
    """It becomes a dead letter that says why; what was under way beside it, time and again, is handled and does not."""
    for number in range(1, INNOCENT + 1):
        await pair.deliver(texted("slow", number))
    await pair.deliver(texted("crash", 0))
    deaths = 0
    while not await is_over(pair):
        await pair.processor.ended()
        deaths += 1
        await pair.processor.listen()
    assert 2 < deaths <= MOST_DEATHS
    (letter,) = pair.dead_letters()
    assert (letter["dead.reason"], letter["dead.error"]) == ("poison", "ProcessDied")
    assert "died 2 times" in letter["dead.message"]
    handled = [line["from"] for line in pair.lines()]
    assert len(set(handled)) == INNOCENT
    assert pair.retry_records() == 0


async def is_over(pair: Pair) -> bool:
    """Wait until the processor has died, or all is settled; return whether it is the latter."""
    await until(lambda: has_died(pair.processor) or pair.settled(), "the processor dies or is done")
    return not has_died(pair.processor)


def has_died(processor: ServiceProcess) -> bool:
    return processor.exit_code is not None
