"""The kit that users test their handlers with."""

from typing import Any

import pytest

from hookline import (
    CallNext,
    Context,
    ConversationEvent,
    Handlers,
    MessageReceived,
    Reject,
    RetryLater,
    RetryPolicy,
    SendGridEvent,
    WebhookEvent,
)
from hookline.testing import Dead, Done, HookError, Reason, Retry, deliver, make_event, started
from hookline_processor.events.events import typed
from hookline_shared.catalogue import kinds
from hookline_shared.catalogue.kinds import ALL, FAMILIES, SINGLE
from hookline_shared.parsing.forms import parse_form

KINDS = [
    *SINGLE,
    *(f"{kind.name}.{kind.sample.event}" for kind in ALL if kind.event_type is not None),
    "conversation.onParticipantAdded",
    "taskrouter.reservation.created",
    "sync.list_item_added",
    "sync.map_item_added",
    "sync.endpoint_connected",
    "debugger.warning",
]


async def test_default_event_is_realistic(handlers: Handlers) -> None:
    """Parameters that a test does not care about are there, and those that it names are as named."""
    seen: list[MessageReceived] = []

    @handlers.on("message.received")
    async def note(event: MessageReceived, context: Context) -> None:
        seen.append(event)

    assert await deliver(handlers, "message.received", Body="hi & bye ☕", From="+14155550123", NumSegments=None) == Done()
    (event,) = seen
    assert (event.body, event.from_, event.num_segments) == ("hi & bye ☕", "+14155550123", None)
    assert event.message_sid.startswith("SM")
    assert event.to == "+15005550001"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_sample(kind: str) -> None:
    """There is a sample of each kind and each family, which ingress would take for just that."""
    event = typed(make_event(kind))
    own = kinds.kind_of(kind)
    assert own is not None
    told = own if own not in kinds.CLASSIFIED and own.fits(event.params) else kinds.classify(event.params)
    assert told.name_of(event.params) == kind
    assert {name.partition(".")[0] for name in KINDS if name not in SINGLE} == set(FAMILIES)


async def test_plain_handler_with_middleware(handlers: Handlers) -> None:
    """The real path is taken: middleware in the loop, a plain handler in a thread."""
    steps: list[str] = []

    @handlers.middleware
    async def around(event: WebhookEvent, context: Context, call_next: CallNext) -> None:
        steps.append("in")
        await call_next(event, context)
        steps.append("out")

    @handlers.on("conversation.*")
    def note(event: ConversationEvent, context: Context) -> None:
        steps.append(event.event_type)

    assert await deliver(handlers, "conversation.onParticipantAdded") == Done()
    assert steps == ["in", "onParticipantAdded", "out"]


async def test_attempts_are_counted(handlers: Handlers) -> None:
    """The last attempt of a policy ends in the dead letters, those before in a retry."""

    @handlers.on("message.received", retry=RetryPolicy(max_attempts=3))
    async def fail(event: MessageReceived, context: Context) -> None:
        raise ValueError(f"attempt {context.attempt}")

    second = await deliver(handlers, "message.received", attempt=2)
    assert isinstance(second, Retry)
    assert second.failure is not None
    assert second.failure.message == "attempt 2"
    third = await deliver(handlers, "message.received", attempt=3)
    assert isinstance(third, Dead)
    assert third.reason is Reason.EXHAUSTED


@pytest.mark.parametrize(("error", "verdict"), [(Reject("no"), Dead), (RetryLater(60), Retry)])
async def test_errors_with_a_meaning(handlers: Handlers, error: Exception, verdict: type[object]) -> None:
    """Reject and RetryLater mean what they mean in the processor."""

    @handlers.on("message.received")
    async def fail(event: MessageReceived, context: Context) -> None:
        raise error

    assert isinstance(await deliver(handlers, "message.received"), verdict)


async def test_same_event_again(handlers: Handlers) -> None:
    """An event that was made before has the same idempotency key in every attempt; another one has not."""
    keys: list[str] = []

    @handlers.on("message.received")
    async def note(event: MessageReceived, context: Context) -> None:
        keys.append(context.idempotency_key)

    order = make_event("message.received", Body="2 soup")
    await deliver(handlers, order)
    await deliver(handlers, order, attempt=2)
    await deliver(handlers, "message.received", Body="2 soup")
    await deliver(handlers, "message.received", MessageSid="SM1")
    await deliver(handlers, "message.received", MessageSid="SM1")
    first, again, other, named, named_again = keys
    assert first == again != other
    assert named == named_again


async def test_json_bodies(handlers: Handlers) -> None:
    """Kinds that come as JSON take any JSON value for a member, or a whole body."""
    seen: list[Any] = []

    @handlers.on("sendgrid.event")
    async def note(event: SendGridEvent, context: Context) -> None:
        seen.append((event.event, event.json.get("category")))

    await deliver(handlers, "sendgrid.event", event="bounce", category=["a", "b"])
    await deliver(handlers, "sendgrid.event", json={"event": "open"})
    assert seen == [("bounce", ["a", "b"]), ("open", None)]


async def test_class_names_its_kind(handlers: Handlers) -> None:
    """A kind is named as it was for the handler, by its class too, unless that is of many kinds."""

    @handlers.on(MessageReceived)
    async def answer(event: MessageReceived, context: Context) -> None:
        assert event.body == "hi"

    assert await deliver(handlers, MessageReceived, Body="hi") == Done()
    assert make_event(MessageReceived).kind == "message.received"
    with pytest.raises(ValueError, match="ConversationEvent stands for several kinds"):
        make_event(ConversationEvent)


async def test_misspelt_kind_is_refused(handlers: Handlers) -> None:
    """A test with a kind that does not exist would prove nothing."""
    with pytest.raises(ValueError, match=r'"message.recieved" is not a kind of event. The kinds are message.received, '):
        await deliver(handlers, "message.recieved")


async def test_hooks_run_around(handlers: Handlers) -> None:
    """In `started` the state is what start-up hooks made; afterwards it is closed, and as before."""
    handlers.state["fake"] = "fake"
    steps: list[object] = []

    @handlers.on_startup
    async def open_pool(state: dict[str, Any]) -> None:
        state["pool"] = "pool"

    @handlers.on_shutdown
    async def close_pool(state: dict[str, Any]) -> None:
        steps.append(f"{state['pool']} closed")

    @handlers.on("message.received")
    async def note(event: MessageReceived, context: Context) -> None:
        steps.append(dict(context.state))

    async with started(handlers) as state:
        assert state == {"fake": "fake", "pool": "pool"}
        await deliver(handlers, "message.received")
    assert steps == [{"fake": "fake", "pool": "pool"}, "pool closed"]
    assert handlers.state == {"fake": "fake"}


async def test_failed_startup_fails_the_test(handlers: Handlers) -> None:
    """What would stop the processor is an error in the test."""

    @handlers.on_startup
    def fail(state: dict[str, Any]) -> None:
        raise ValueError("no")

    with pytest.raises(HookError, match="fail failed with ValueError: no"):
        async with started(handlers):
            pass


def test_form_is_what_twilio_would_send() -> None:
    """The body is encoded as a form, whatever is in it."""
    event = make_event("message.received", Body="a=b&c d+é")
    assert parse_form(event.body).params["Body"] == "a=b&c d+é"
