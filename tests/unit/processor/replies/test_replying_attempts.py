"""What an attempt replies, by what its handler is and by the event that it gets."""

from typing import Any

import pytest
from twilio.twiml.messaging_response import MessagingResponse

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
)
from hookline.testing import Dead, Done, Reason, Retry, deliver
from tests.support.processor.returned_values import parameters, returning

THEM, US = "+15005550006", "+15005550001"
SERVICE, TEMPLATE = "MG" + "0" * 32, "HX" + "0" * 32


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

        @handlers.on(MessageReceived)  # type: ignore[arg-type]
        async def true(_event: MessageReceived, _context: Context) -> bool:
            return True

    with pytest.raises(HandlersError, match="returns int, which cannot be sent"):

        @handlers.on(MessageReceived)  # type: ignore[arg-type]
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
