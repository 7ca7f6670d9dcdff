"""What users get wrong, and what they are told: a finding or a dead letter, with Twilio's code where there is one.

Revoked keys and missing credentials are findings (`test_sender_check.py`), and keep messages waiting (`test_sender.py`).
"""

from typing import Any

import pytest

from hookline import Context, Handlers, Message, MessageReceived, MessageStatus, Reply
from hookline.testing import Dead, Reason, deliver
from hookline_processor.replies.memory import MOST_BYTES
from hookline_processor.sender.outcomes import Refused, explain, reason_of, refusal_of
from hookline_shared.catalogue.webhook_event import WebhookEvent

URLS = tuple(f"https://example.com/{number}.png" for number in range(11))
TEMPLATE = "HX" + "0" * 32


async def dead(handle: Any, kind: type[WebhookEvent] = MessageReceived) -> Dead:
    """Return the dead letter of an event with the handler `handle`."""
    handlers = Handlers()
    handlers.on(kind, memory=True)(handle)
    outcome = await deliver(handlers, kind)
    assert isinstance(outcome, Dead), outcome
    return outcome


@pytest.mark.parametrize(
    ("made", "said", "remedy"),
    [
        (lambda: "x" * 1601, "1601 characters, and 1600 are the most", "Send several messages"),
        (lambda: Reply("x" * 1601), "1601 characters", "Send several messages"),
        (lambda: "👍" * 1601, "1601 characters", "Send several messages"),
        (lambda: Reply("hi", media=URLS), "11 media, and 10 are the most", "Send several messages"),
        (lambda: Reply(""), "it has neither text, media nor content_sid", "Return None"),
        (lambda: "  ", "white space only", "Return None"),
        (lambda: "<Response><Message>hi</Response>", "no XML", ""),
        (lambda: Reply(content_variables={"1": "Ann"}), "", ""),
        (lambda: Reply("hi", content_sid=TEMPLATE), "either content_sid, or a text", ""),
        (lambda: Message("5551234567890123", "hi"), "is no address", "Write a number as +14155550123"),
        (lambda: Reply("hi", media=("file:///etc/passwd",)), "no URL with http or https", ""),
    ],
)
async def test_what_is_found_before_twilio_is_asked(made: Any, said: str, remedy: str) -> None:
    """At once, and with what would fit."""

    async def handle(_event: MessageReceived, _context: Context) -> Any:
        return made()

    letter = await dead(handle)
    assert letter.reason is Reason.UNFIT
    assert said in letter.failure.message
    assert remedy in letter.failure.message


async def test_reply_to_a_status_callback() -> None:
    """Nobody wrote, so nobody can be answered; the error says how to send something."""

    async def handle(_event: MessageStatus, _context: Context) -> Any:
        return "thanks"

    letter = await dead(handle, MessageStatus)
    assert letter.reason is Reason.UNFIT
    assert "only messages can be answered so" in letter.failure.message
    assert "context.send" in letter.failure.message


@pytest.mark.parametrize(
    ("document", "said"),
    [({"a": {1}}, "set is not JSON serializable"), ({"a": "x" * MOST_BYTES}, f"{MOST_BYTES} are the most")],
)
async def test_memory_that_cannot_be_stored(document: dict[str, Any], said: str) -> None:
    """It says what memory is, or how much of it there may be."""

    async def handle(_event: MessageReceived, context: Context) -> None:
        context.memory = document

    letter = await dead(handle)
    assert letter.reason is Reason.UNFIT
    assert said in letter.failure.message


@pytest.mark.parametrize(
    ("code", "means", "remedy"),
    [
        (21606, "no number of this account", "Check from_"),
        (21659, "no number of this account", "Check from_"),
        (21660, "belongs to another account", "Check from_"),
        (21614, "no mobile number", "gets no messages"),
        (21211, "no valid number", "Check it"),
        (21610, "has sent STOP", "until they send START"),
        (21617, "too long", "Send several messages"),
        (21623, "too many media", "Send several messages"),
        (21656, "variables of the content template", "Check content_variables"),
        (21703, "has no sender", "Add one"),
        (63016, "silent for 24 hours", "Send content_sid"),
        (21408, "may not send to this country", "Geo permissions"),
    ],
)
def test_what_twilio_refuses(code: int, means: str, remedy: str) -> None:
    """A dead letter with Twilio's code, what it means, what to do, and where to read about it."""
    refused = refusal_of(400, code, "as Twilio says it")
    assert isinstance(refused, Refused)
    text = explain(refused)
    assert means in text
    assert remedy in text
    assert f"https://www.twilio.com/docs/api/errors/{code}" in text
    assert reason_of(refused) is (Reason.OPTED_OUT if code == 21610 else Reason.REFUSED)


def test_code_that_is_new() -> None:
    """Twilio's own words stand for it."""
    refused = refusal_of(400, 29999, "The moon is full.")
    assert isinstance(refused, Refused)
    assert explain(refused).startswith("The moon is full (Twilio's error 29999")
