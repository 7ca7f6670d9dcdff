"""The Twilio of the test kit, in the event loop of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hookline_processor.testkit.fake_twilio import ACCOUNT, FakeTwilio
from hookline_processor.testkit.faults import Fault, losing

__all__ = ["ACCOUNT", "FakeTwilio", "Fault", "fake_twilio", "losing"]


@asynccontextmanager
async def fake_twilio() -> AsyncIterator[FakeTwilio]:
    """Yield a Twilio that runs."""
    async with FakeTwilio() as twilio:
        yield twilio
