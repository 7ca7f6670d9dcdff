"""The handlers, run as the processor runs them: no Redis, and nothing of Twilio's, is needed."""

import pytest
from hookline.testing import Done, deliver

from bot import handlers


async def test_message_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    """A message is handled at its first attempt."""
    assert await deliver(handlers, "message.received", From="+14155550123", Body="hello") == Done()
    assert "+14155550123 says: hello" in capsys.readouterr().out


async def test_status_is_noted() -> None:
    """So is the status of a message."""
    assert await deliver(handlers, "message.status", MessageStatus="delivered") == Done()
