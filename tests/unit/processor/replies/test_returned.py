"""What handlers return and send, and the messages that it makes."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import VoiceResponse

from hookline import (
    Context,
    Handlers,
    Message,
    MessageReceived,
    Reply,
    UnfitError,
)
from hookline.testing import Dead, Done, Reason, deliver, make_event
from hookline_processor.replies.outbox_events import token_of
from hookline_shared.event import decode
from tests.support.processor.returned_values import parameters, returning

THEM, US = "+15005550006", "+15005550001"
SERVICE, TEMPLATE = "MG" + "0" * 32, "HX" + "0" * 32


TWIML = (
    '<?xml version="1.0" encoding="UTF-8"?><Response><Message>hi</Message><Message to="+14155550100">you</Message></Response>'
)


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (None, []),
        ("hi", ["hi"]),
        (Reply("hi"), ["hi"]),
        (["hi", Reply("you"), None], ["hi", "you"]),
        ([], []),
        (MessagingResponse(), []),
        (TWIML, ["hi", "you"]),
        ("<Response/>", []),
        ("<3 you", ["<3 you"]),
    ],
)
async def test_replies(value: object, texts: list[str]) -> None:
    """A text, a reply, several, or TwiML."""
    outcome = await returning(value)
    assert outcome == Done()
    assert [one.body for one in outcome.replies] == texts
    assert outcome.sent == []
    assert [one["Body"] for one in parameters(outcome)] == texts


async def test_reply_goes_back() -> None:
    """To whoever wrote, from the number that they wrote to, in the same conversation; with all that it has."""
    moment = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
    reply = Reply(content_sid=TEMPLATE, content_variables={"1": "Ann"}, messaging_service_sid=SERVICE, send_at=moment)
    outcome = await returning([Reply("hi", media=("https://example.com/a.png",)), reply])
    assert parameters(outcome) == [
        {"To": THEM, "From": US, "Body": "hi", "MediaUrl": ["https://example.com/a.png"]},
        {
            "To": THEM,
            "MessagingServiceSid": SERVICE,
            "ContentSid": TEMPLATE,
            "ContentVariables": '{"1":"Ann"}',
            "SendAt": "2027-01-02T03:04:05+00:00",
        },
    ]


async def test_twiml_of_the_library() -> None:
    """`MessagingResponse` is carried out, with recipient, media and status callback."""
    twiml = MessagingResponse()
    twiml.message("first")
    second = twiml.message(to="+14155550100", status_callback="https://example.com/s")
    second.body("second")
    second.media("https://example.com/a.png")
    first, other = parameters(await returning(twiml))
    assert first == {"To": THEM, "From": US, "Body": "first"}
    assert other == {
        "To": "+14155550100",
        "From": US,
        "Body": "second",
        "MediaUrl": ["https://example.com/a.png"],
        "StatusCallback": "https://example.com/s",
    }


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (True, "a value of type bool"),
        ({"a": 1}, "a value of type dict"),
        (object(), "a value of type object"),
        ("", "it has neither text"),
        ("x" * 1601, "1601 characters"),
        (VoiceResponse(), None),
        ("<Response><Redirect>x</Redirect></Response>", "<Redirect>"),
        ("<Response><Message>x</Response>", "no XML"),
        ("<Response><Message action='x'>x</Message></Response>", "action"),
        ("<Response><Message><Play>x</Play></Message></Response>", "<Play>"),
        ("<Response>x</Response>", "outside of <Message>"),
        (f"<Response><Message>{'x' * 64_000}</Message></Response>", "bytes"),
        ('<Response><!DOCTYPE a [<!ENTITY b "c">]><Message>x</Message></Response>', "document type"),
        (["x"] * 51, "51 messages"),
        ("half an emoji \ud83d", "surrogate"),
        (Reply(content_sid=TEMPLATE, content_variables={"1": "\ud83d"}), "surrogate"),
    ],
)
async def test_unfit_values(value: object, why: str | None) -> None:
    """A dead letter at once, since another attempt would return the same. It says why, without the value."""
    outcome = await returning(value)
    if why is None:  # an empty <Response/> is TwiML, whatever made it
        assert outcome == Done()
        return
    assert isinstance(outcome, Dead)
    assert outcome.reason is Reason.UNFIT
    assert why in outcome.failure.message
    assert (outcome.replies, outcome.sent) == ((), ())


async def test_voice_verbs_are_no_reply() -> None:
    """The error names the verb."""
    twiml = VoiceResponse()
    twiml.say("hello")
    outcome = await returning(twiml)
    assert isinstance(outcome, Dead)
    assert "<Say>" in outcome.failure.message


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Reply(""), "empty"),
        (lambda: Reply("   "), "white space"),
        (lambda: Reply("x" * 1601), "1601"),
        (lambda: Reply(5), "str"),  # type: ignore[arg-type]
        (lambda: Reply("x", media=("https://e.com",) * 11), "11 media"),
        (lambda: Reply("x", media=("ftp://e.com",)), "http"),
        (lambda: Reply("x", content_sid=TEMPLATE), "either content_sid"),
        (lambda: Reply(content_sid="HX1"), "HX and 32"),
        (lambda: Reply("x", content_variables={"1": "a"}), "need a content_sid"),
        (lambda: Reply("x", send_at=datetime(2027, 1, 1)), "time zone"),
        (lambda: Reply("x", send_at=datetime(2027, 1, 1, tzinfo=UTC)), "messaging_service_sid"),
        (lambda: Reply("x", messaging_service_sid="MG1"), "MG and 32"),
        (lambda: Reply("x", status_callback="me"), "status_callback"),
        (lambda: Message("4155550123456", "x"), "to="),
        (lambda: Message("+1 415 555", "x"), "to="),
        (lambda: Message(THEM, "x", from_="a name that is too long"), "from_="),
    ],
)
def test_messages_that_twilio_would_refuse(make: Any, why: str) -> None:
    """They cannot be made, so the traceback shows where."""
    with pytest.raises(UnfitError, match=why):
        make()


@pytest.mark.parametrize("address", ["+14155550123", "12345", "whatsapp:+14155550123", "messenger:1234", "rcs:agent_x"])
def test_addresses(address: str) -> None:
    """Numbers, short codes, and what channels have."""
    assert Message(address, "x", from_="Bank").to == address


async def test_send_and_reply() -> None:
    """What was sent first comes first; each has a token of its own, the same whenever the event is handled."""
    handlers = Handlers()

    @handlers.on(MessageReceived)
    async def answer(event: MessageReceived, context: Context) -> str:
        context.send(Message("+14155550100", "somebody wrote"))
        return "thanks"

    event = make_event(MessageReceived)
    outcome = await deliver(handlers, event)
    again = await deliver(handlers, event, attempt=2)
    assert [one["Body"] for one in parameters(outcome)] == ["somebody wrote", "thanks"]
    assert [one.body for one in outcome.sent] == ["somebody wrote"]
    assert [one.body for one in outcome.replies] == ["thanks"]
    assert isinstance(outcome, Done)
    assert isinstance(again, Done)
    tokens = [entry.token for entry in outcome.outputs.entries]
    assert tokens == [entry.token for entry in again.outputs.entries] == [token_of(event, 0), token_of(event, 1)]
    assert len(set(tokens)) == 2


def test_entry_in_the_outbox() -> None:
    """It is an event of the conversation of its parent, in the format of every stream."""
    event = make_event(MessageReceived)
    from hookline_processor.replies.outbox_events import outbox_entry  # noqa: PLC0415

    entry = outbox_entry(event, 0, {"To": THEM, "Body": "ünsafe \0"}, 77)
    message = decode([word.encode() for word in entry.fields])
    assert (message.kind, message.key, message.account, message.received_at) == ("message.send", event.key, event.account, 77)
    assert msgspec.json.decode(message.body) == {"To": THEM, "Body": "ünsafe \0", "HooklineToken": entry.token}
