"""Topics are isolated: faults of one do not affect another."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.pair import Pair, started_pair
from tests.support.kinds import message, message_status, sid
from tests.support.redis_server import RedisServer
from tests.support.services import Services
from tests.support.waiting import until
from tests.support.webhooks import Twilio

CONFIG = """
[topics.statuses]
concurrency = 3
ordered = false

[topics.vip]
weight = 9

[[routes]]
path = "/vip"
kind = "message.received"
topic = "vip"
"""
STATUSES = 300


@pytest.fixture
async def pair(own_redis: RedisServer, services: Services, tmp_path: Path) -> AsyncIterator[Pair]:
    """Yield a pair with topics of its own, whose handler of statuses always fails; few of them fit into memory."""
    config = tmp_path / "hookline.toml"
    config.write_text(CONFIG)
    settings = {"HOOKLINE_CONFIG": str(config), "PROCESSOR_WINDOW": "20", "HOOKLINE_TEST_STATUSES": "fail"}
    settings |= {"PROCESSOR_BACKOFF_BASE_S": "60", "PROCESSOR_BACKOFF_MAX_S": "60", "INGRESS_SENDER_RATE": "0"}
    async with started_pair(own_redis, services, tmp_path, settings=settings) as pair:
        yield pair


async def test_broken_handler_of_one_topic_holds_up_no_other(pair: Pair) -> None:
    """More statuses fail than fit into memory; messages, and a topic of one's own, are handled all the same."""
    for _ in range(STATUSES):
        await pair.deliver(Twilio().webhook(message_status(MessageSid=sid("SM"))))
    await until(lambda: pair.retry_records() > 20, "many statuses wait for a retry")
    for number in range(20):
        await pair.deliver(Twilio().webhook(message(Body=str(number))))
    await pair.deliver(Twilio().webhook(message(Body="vip"), "/vip"))
    await until(lambda: len(pair.lines()) == 21, "all messages are handled")
    assert [line["body"] for line in pair.lines() if line["body"] != "vip"] == [str(number) for number in range(20)]
    assert pair.dead_letters() == []
