"""What handlers return and send, and the messages that it makes."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import VoiceResponse

from hookline import (
    CallNext,
    CallReceived,
    Context,
    Handlers,
    HandlersError,
    Message,
    MessageReceived,
    MessageStatus,
    Reply,
    UnfitError,
)
from hookline.testing import Dead, Done, Reason, Retry, deliver, make_event
from hookline_processor.replies.outbox_events import token_of
from hookline_processor.verdicts import Verdict
from hookline_shared.event import decode

THEM, US = "+15005550006", "+15005550001"
SERVICE, TEMPLATE = "MG" + "0" * 32, "HX" + "0" * 32


async def returning(value: object, **params: Any) -> Verdict:
    """Deliver a message to a handler that returns `value`; return the verdict."""
    handlers = Handlers()

    @handlers.on(MessageReceived)
    async def answer(_event: MessageReceived, _context: Context) -> Any:
        return value

    return await deliver(handlers, MessageReceived, **params)


def parameters(outcome: Verdict) -> list[dict[str, Any]]:
    """Return the parameters of each message in the outbox, without its token."""
    assert isinstance(outcome, Done)
    bodies = [msgspec.json.decode(entry.fields[-1]) for entry in outcome.outputs.entries]
    return [{name: value for name, value in body.items() if name != "HooklineToken"} for body in bodies]


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


async def test_nothing_is_sent_by_an_attempt_that_fails() -> None:
    """Neither what it sent, nor what a middleware around it returned."""
    handlers = Handlers()

    @handlers.on(MessageReceived)
    async def answer(_event: MessageReceived, context: Context) -> str:
        context.send(Message("+14155550100", "somebody wrote"))
        raise ConnectionError

    outcome = await deliver(handlers, MessageReceived)
    assert isinstance(outcome, Retry)
    assert (outcome.replies, outcome.sent) == ((), ())


async def test_middleware_need_not_pass_the_reply_on() -> None:
    """Nor does a handler that it calls again send twice what the failed call sent."""
    handlers, calls = Handlers(), []

    @handlers.middleware
    async def again(event: MessageReceived, context: Context, call_next: CallNext) -> None:
        context.send(Message("+14155550100", "from the middleware"))
        try:
            await call_next(event, context)
        except ConnectionError:
            await call_next(event, context)

    @handlers.on(MessageReceived)
    async def answer(_event: MessageReceived, context: Context) -> str:
        context.send(Message("+14155550100", "from the handler"))
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError
        return "thanks"

    outcome = await deliver(handlers, MessageReceived)
    assert [one.body for one in (*outcome.sent, *outcome.replies)] == ["from the middleware", "from the handler", "thanks"]


async def test_plain_function_replies() -> None:
    """It runs in a thread."""
    handlers = Handlers()

    @handlers.on(MessageReceived)
    def answer(_event: MessageReceived, context: Context) -> str:
        context.send(Message("+14155550100", "sent"))
        return "returned"

    outcome = await deliver(handlers, MessageReceived)
    assert [one.body for one in (*outcome.sent, *outcome.replies)] == ["sent", "returned"]


async def test_context_of_an_attempt_that_is_over() -> None:
    """It takes no message that nobody would send."""
    handlers, kept = Handlers(), []

    @handlers.on(MessageReceived)
    async def keep(_event: MessageReceived, context: Context) -> None:
        kept.append(context)

    assert await deliver(handlers, MessageReceived) == Done()
    with pytest.raises(RuntimeError, match="is over"):
        kept[0].send(Message(THEM, "too late"))


@pytest.mark.parametrize("kind", [CallReceived, MessageStatus])
async def test_other_kinds_are_not_answered(kind: type) -> None:
    """They can send; a message about a call names its sender, one about a status is sent from the same number."""
    handlers = Handlers()

    @handlers.on("*")
    async def answer(_event: Any, context: Context) -> Any:
        context.send(Message(THEM, "x", from_="" if kind is MessageStatus else US))
        return returned

    returned: object = None
    outcome = await deliver(handlers, kind)
    assert [(one["To"], one["From"]) for one in parameters(outcome)] == [(THEM, US)]
    returned = "hello"
    outcome = await deliver(handlers, kind)
    assert isinstance(outcome, Dead)
    assert outcome.reason is Reason.UNFIT


async def test_message_without_a_sender() -> None:
    """A number cannot send WhatsApp messages, so somebody has to say who does."""
    handlers = Handlers()

    @handlers.on(MessageReceived)
    async def answer(_event: MessageReceived, context: Context) -> None:
        context.send(Message("whatsapp:+14155550100", "x"))

    outcome = await deliver(handlers, MessageReceived)
    assert isinstance(outcome, Dead)
    assert "from_" in outcome.failure.message


async def test_sender_that_is_a_name() -> None:
    """A bank writes under its name, which nobody can answer."""
    outcome = await returning("thanks", From="MyBank")
    assert isinstance(outcome, Dead)
    assert "cannot be answered" in outcome.failure.message


def several(_event: MessageReceived, _context: Context) -> list[str | Reply | None] | tuple[Message, ...]:
    return ["one", Reply("two"), None]


def test_annotations_are_checked_at_import() -> None:
    """What cannot be sent is found before the first event; what nobody can tell is not refused."""
    handlers = Handlers()
    with pytest.raises(HandlersError, match="returns bool, which cannot be sent"):

        @handlers.on(MessageReceived)
        async def true(_event: MessageReceived, _context: Context) -> bool:
            return True

    with pytest.raises(HandlersError, match="returns int, which cannot be sent"):

        @handlers.on(MessageReceived)
        async def numbers(_event: MessageReceived, _context: Context) -> list[int] | None:
            return [1]

    Handlers().on(MessageReceived)(several)
    with pytest.raises(HandlersError, match="returns Reply, which cannot be sent"):

        @handlers.on(CallReceived)
        async def call(_event: CallReceived, _context: Context) -> Reply | None:
            return Reply("x")

    @handlers.on(MessageReceived, MessageStatus)
    async def fine(_event: MessageReceived | MessageStatus, _context: Context) -> list[Reply] | MessagingResponse | str | None:
        return None

    @handlers.on("*")
    async def anything(_event: object, _context: Context) -> Any:
        return None
