"""Topics are isolated: faults of one do not affect another."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.support.pair import Pair, processor_settings, started_pair
from tests.support.inbound.kinds import message, message_status, sid
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.ingress_client import IngressClient
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until, until_answer

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


UNKNOWN = 40
HASTE = "".join(f"[alerts.{name}]\nfor_s = 0\n" for name in ("topic_unread", "partitions_unowned"))


async def test_topic_that_only_ingress_has(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """Its events wait, and both services tell at once; a processor that knows the topic handles them all, and all is well."""
    config = tmp_path / "ingress.toml"  # the processor would find hookline.toml
    config.write_text(CONFIG + HASTE)
    haste = {"ALERT_INTERVAL_S": "0.1", "INGRESS_SENDER_RATE": "0"}
    async with started_pair(own_redis, services, tmp_path, settings=haste) as pair:
        ingress = services.ingress({**ingress_settings(own_redis.url), **haste, "HOOKLINE_CONFIG": str(config)})
        await ingress.start()
        async with aiohttp.ClientSession() as session:
            client = IngressClient(session, ingress.port)
            for number in range(UNKNOWN):
                webhook = Twilio().webhook(message(Body=str(number), From=f"+1415555{number:04d}"), "/vip")
                assert (await client.post(webhook)).status == 200
        for service, text in (
            (ingress, "[!]alert warning: topic_unread vip (critical)"),
            (ingress, "[!]readers warning: Nobody reads topic vip in partitions 0-7."),
            (pair.processor, "[!]readers warning: Nobody reads topic vip in partition"),
        ):
            await until_answer(partial(service.probe, "readyz?verbose", 200), partial(_has, text), text)
        knowing = services.processor(
            {**processor_settings(own_redis.url, pair.record), **haste, "HOOKLINE_CONFIG": str(config)}
        )
        await pair.processor.stop()
        await knowing.start()
        await until(lambda: len(pair.lines()) == UNKNOWN, "all are handled")
        await until_answer(
            partial(ingress.probe, "readyz?verbose", 200), lambda found: "topic_unread" not in found, "nothing is unread"
        )


def _has(text: str, found: str) -> bool:
    return text in found
