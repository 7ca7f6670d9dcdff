"""Reminders of appointments: "2026-12-24 15:00" is confirmed at once, and reminded of a day before.

    hookline up --handlers examples.reminders:handlers

REMINDER_SERVICE is the SID of the messaging service (MG...) that sends them. Twilio keeps a reminder until it is due, and does
not send it to who has sent STOP by then.
"""

import os
from datetime import UTC, datetime, timedelta

from hookline import Context, Handlers, MessageReceived, MessageStatus, Reply

EARLIER = timedelta(days=1)
SOONEST, LATEST = timedelta(minutes=15), timedelta(days=35)
"""How long before it is due Twilio takes a message."""

handlers = Handlers()


@handlers.on(MessageReceived, memory=True)
async def book(event: MessageReceived, context: Context) -> list[Reply] | str | None:
    """Confirm an appointment, and schedule its reminder in the same step; or note that somebody wants none."""
    if event.opt_out_type in ("STOP", "START"):  # Twilio itself answers these
        context.memory["wants_none"] = event.opt_out_type == "STOP"
        return None
    appointment = read(event.body)
    if appointment is None:
        return "When? Write it as 2026-12-24 15:00, in UTC."
    confirmation = Reply(f"Booked: {appointment:%d %B, %H:%M}.")
    in_time = SOONEST < appointment - EARLIER - datetime.now(UTC) < LATEST
    if not in_time or context.memory.get("wants_none"):
        return [confirmation]
    text, service = f"Tomorrow at {appointment:%H:%M} we expect you.", os.environ["REMINDER_SERVICE"]
    return [confirmation, Reply(text, send_at=appointment - EARLIER, messaging_service_sid=service)]


@handlers.on(MessageStatus)
async def note(event: MessageStatus, context: Context) -> None:
    """Log reminders that did not arrive."""
    if event.message_status in ("failed", "undelivered"):
        context.logger.warning("reminder did not arrive", error_code=event.error_code)


def read(text: str) -> datetime | None:
    """Return the time in a text, None if it has none."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    except ValueError:
        return None
