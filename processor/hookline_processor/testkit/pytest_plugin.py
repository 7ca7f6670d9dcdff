"""The fixtures that pytest finds by the entry point `pytest11`. What they need is imported when they are used."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hookline_processor.testkit.fake_twilio import FakeTwilio


@pytest.fixture
def fake_twilio() -> "Iterator[FakeTwilio]":
    """Yield a Twilio that runs on this machine in a thread of its own, for plain and for async tests."""
    from hookline_processor.testkit.fake_twilio import FakeTwilio  # noqa: PLC0415

    with FakeTwilio() as twilio:
        yield twilio
