"""A processor's partition that sends, and the Twilio to which it sends."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis

from hookline import Context, Handlers, MessageReceived
from hookline_processor.sender.settings import SenderSettings
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.outbox import Mark
from tests.support.observability.logbook import Logbook
from tests.support.processor.feed import PARTITION
from tests.support.processor.inbox import Inbox
from tests.support.processor.partition_bench import Bench
from tests.support.servers.fake_twilio import ACCOUNT, FakeTwilio, fake_twilio
from tests.support.storage.keys import keys
from tests.support.storage.stored import Stored


@pytest.fixture
async def inbox(broker: RedisConnectionManager) -> Inbox:
    """Return a writer of messages."""
    return Inbox(broker)


@pytest.fixture
async def twilio() -> AsyncIterator[FakeTwilio]:
    """Yield a Twilio."""
    async with fake_twilio() as twilio:
        yield twilio


def sender_settings(twilio: FakeTwilio, **changed: object) -> SenderSettings:
    """Return the settings of a sender to `twilio`."""
    settings: dict[str, object] = {"account_sid": ACCOUNT, "api_secret": "secret", "api_url": twilio.url, "timeout_s": 1.0}
    return SenderSettings(**settings | changed)  # type: ignore[arg-type]


@pytest.fixture
async def bench(broker: RedisConnectionManager, logbook: Logbook, twilio: FakeTwilio) -> AsyncIterator[Bench]:
    """Yield a partition, not yet started, whose handler answers every message with its text."""
    bench = Bench(broker, logbook)
    handlers = bench.handlers = Handlers()

    @handlers.on(MessageReceived)
    async def echo(event: MessageReceived, context: Context) -> str:
        bench.begun.append(event.id)
        return event.body

    bench.sender = sender_settings(twilio)
    yield bench
    await bench.close()


def marks(client: "redis.Redis") -> list[Mark]:
    """Return the marks of all messages."""
    found = client.execute_command("KEYS", keys.sent(PARTITION, "*"))
    return [Mark.parse(client.execute_command("GET", name).decode()) for name in found]


def dead(stored: Stored) -> list[tuple[str, str]]:
    """Return reason and message of the dead letters."""
    named: list[dict[bytes, Any]] = []
    for _, fields in stored.dead_letters(PARTITION):
        named.append(dict(zip(fields[::2], fields[1::2], strict=True)))
    return [(one[b"dead.reason"].decode(), one[b"dead.message"].decode()) for one in named]
