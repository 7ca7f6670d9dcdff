"""A processor's partition that forwards, the app to which it does, and the Twilio to which it sends."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from hookline import Handlers
from hookline_processor.forward.settings import SigningSettings
from hookline_shared.clock import SystemClock
from hookline_shared.forwards import Forward
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.topics import MESSAGES
from tests.integration.processor.replies.conftest import sender_settings, twilio
from tests.support.observability.logbook import Logbook
from tests.support.processor.conversations import incoming
from tests.support.processor.events import key_of
from tests.support.processor.feed import PARTITION
from tests.support.processor.partition_bench import Bench
from tests.support.servers.fake_twilio import FakeTwilio
from tests.support.servers.sample_app import TOKEN, SampleApp, sample_app
from tests.support.storage.stored import PARTITIONS

__all__ = ["twilio"]

PUBLIC_URL = "https://hooks.example.com"


class Inbox:
    """Puts messages of people into the stream of `PARTITION`, received now."""

    def __init__(self, broker: RedisConnectionManager) -> None:
        self._appender = Appender(broker, PARTITIONS, 3600, 1_000_000)

    async def put(self, *texts: str, nth: int = 0, sender: str = "+14155550123", age_ms: int = 0) -> None:
        """Append a message for each of `texts`, all of one conversation, another one for each `nth`."""
        received_at = SystemClock().now_ms() - age_ms
        events = [replace(incoming(text, key_of(PARTITION, nth), sender), received_at=received_at) for text in texts]
        await self._appender.append([(MESSAGES, one) for one in events], 5)


@pytest.fixture
async def inbox(broker: RedisConnectionManager) -> Inbox:
    """Return a writer of messages."""
    return Inbox(broker)


@pytest.fixture
async def app() -> AsyncIterator[SampleApp]:
    """Yield an app."""
    async with sample_app() as app:
        yield app


@pytest.fixture
async def bench(broker: RedisConnectionManager, logbook: Logbook, twilio: FakeTwilio, app: SampleApp) -> AsyncIterator[Bench]:
    """Yield a partition, not yet started, that forwards to `app`, and has no handlers."""
    bench = Bench(broker, logbook)
    bench.handlers = Handlers()
    bench.sender = sender_settings(twilio)
    bench.forwards = [Forward(path="/twilio", url=app.url, timeout_s=0.5)]
    bench.signing = SigningSettings(auth_tokens=(TOKEN,), public_urls=(PUBLIC_URL,))
    yield bench
    await bench.close()
