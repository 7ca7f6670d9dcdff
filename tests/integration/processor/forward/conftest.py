"""A processor's partition that forwards, the app to which it does, and the Twilio to which it sends."""

from collections.abc import AsyncIterator

import pytest

from hookline import Handlers
from hookline_processor.forward.settings import SigningSettings
from hookline_shared.forwards import Forward
from hookline_shared.redis.manager import RedisConnectionManager
from tests.integration.processor.replies.conftest import inbox, sender_settings, twilio
from tests.support.observability.logbook import Logbook
from tests.support.processor.partition_bench import Bench
from tests.support.servers.fake_twilio import FakeTwilio
from tests.support.servers.sample_app import TOKEN, SampleApp, sample_app

__all__ = ["inbox", "twilio"]

PUBLIC_URL = "https://hooks.example.com"


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
