"""Reminders of appointments."""

from datetime import UTC, datetime, timedelta

import pytest

from examples.reminders import handlers
from hookline import MessageReceived, MessageStatus, Reply
from hookline.testing import Done, deliver

SERVICE = "MG" + "0" * 32


@pytest.fixture(autouse=True)
def _service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMINDER_SERVICE", SERVICE)


def in_days(days: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d} 15:00"


async def test_appointment_is_confirmed_and_reminded_of() -> None:
    """Both are recorded in one step. Twilio sends the reminder a day before."""
    outcome = await deliver(handlers, MessageReceived, Body=in_days(10))
    confirmation, reminder = outcome.replies
    assert confirmation.body.startswith("Booked: ")
    assert isinstance(reminder, Reply)
    assert reminder.body == "Tomorrow at 15:00 we expect you."
    assert reminder.send_at is not None
    assert f"{reminder.send_at:%Y-%m-%d %H:%M}" == in_days(9)
    assert reminder.messaging_service_sid == SERVICE


@pytest.mark.parametrize("days", [0, 60])
async def test_time_that_twilio_does_not_take(days: int) -> None:
    """Too soon, or too far away: it is confirmed only."""
    assert len((await deliver(handlers, MessageReceived, Body=in_days(days))).replies) == 1


async def test_stop() -> None:
    """Twilio answers it; then there are no reminders until START."""
    outcome = await deliver(handlers, MessageReceived, Body="STOP", OptOutType="STOP")
    assert outcome.replies == []
    outcome = await deliver(handlers, MessageReceived, Body=in_days(10), memory=outcome.memory)
    assert len(outcome.replies) == 1
    outcome = await deliver(handlers, MessageReceived, Body="START", OptOutType="START", memory=outcome.memory)
    assert len((await deliver(handlers, MessageReceived, Body=in_days(10), memory=outcome.memory)).replies) == 2


async def test_anything_else() -> None:
    """It is told how to write a time. Statuses are settled."""
    (reply,) = (await deliver(handlers, MessageReceived, Body="tomorrow")).replies
    assert "2026-12-24 15:00" in reply.body
    assert await deliver(handlers, MessageStatus, MessageStatus="undelivered", ErrorCode="21610") == Done()
