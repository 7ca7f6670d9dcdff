"""Tests of the handlers. They run as in the processor, without Redis and Twilio."""

import pytest
from hookline import MessageReceived, MessageStatus
from hookline.testing import Done, deliver

from bot import handlers


async def test_message_is_handled(capsys: pytest.CaptureFixture[str]) -> None:
    """The first attempt at a message succeeds."""
    assert await deliver(handlers, MessageReceived, From="+1415", Body="hi") == Done()
    assert "+1415 says: hi" in capsys.readouterr().out


async def test_status_is_logged() -> None:
    """The first attempt at a message status succeeds."""
    assert await deliver(handlers, MessageStatus, MessageStatus="delivered") == Done()
