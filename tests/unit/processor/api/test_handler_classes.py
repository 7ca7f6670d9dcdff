"""The class that a handler annotates its event with: what is taken for which kinds, and what is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypedDict, TypeVar, Union

import pytest

from hookline import (
    CallReceived,
    CallStatus,
    Context,
    ConversationEvent,
    Handlers,
    MessageReceived,
    MessageStatus,
    StreamEvent,
    TaskRouterEvent,
    WebhookEvent,
)
from tests.support.processor.registration import refusal

if TYPE_CHECKING:
    from nowhere import OnlyForCheckers  # type: ignore[import-not-found]


AnyEvent = TypeVar("AnyEvent", bound=WebhookEvent)

Status = TypeVar("Status", MessageStatus, CallStatus)


def anything(event: WebhookEvent, context: Context) -> None: ...


class Own(MessageReceived):
    """No event ever comes as this."""


def of_any(event: Any, context: Context) -> None: ...


class Order: ...


def parsed(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(event: WebhookEvent, context: Context) -> None:
        await function(Order(), context)

    return wrapper


async def of_order(event: Order, context: Context) -> None: ...


@pytest.mark.parametrize("function", [parsed(of_order), functools.partial(parsed(of_order))])
def test_decorator_may_make_something_else_of_the_event(function: Callable[..., Any]) -> None:
    """`functools.wraps` gives the decorated function the annotations of the inner one, which says nothing of the event."""
    Handlers().on(MessageReceived)(function)


class HasParams(Protocol):
    params: Any


class UnresolvedAlias:
    """What `type LazyAlias = OnlyForCheckers` makes since Python 3.12."""

    @property
    def __value__(self) -> object:
        return OnlyForCheckers


LazyAlias = UnresolvedAlias()


class HasBody(TypedDict):
    body: str


def of_union(event: MessageStatus | CallStatus, context: Context) -> None: ...


def of_old_union(event: Union[MessageStatus, CallStatus], context: Context) -> None: ...  # noqa: UP007


def of_annotated(event: Annotated[MessageStatus, "x"] | CallStatus, context: Context) -> None: ...


def of_constrained(event: Status, context: Context) -> None: ...


def of_conversations(event: ConversationEvent, context: Context) -> None: ...


def of_messages(event: MessageReceived | MessageStatus, context: Context) -> None: ...


def of_a_dict(event: dict[str, str], context: Context) -> None: ...


def of_own(event: Own, context: Context) -> None: ...


@pytest.mark.parametrize(
    ("function", "kinds", "missing"),
    [
        (of_union, ("message.status", "call.received"), "CallReceived"),
        (of_old_union, ("studio",), "StudioEvent"),
        (of_annotated, ("message.received",), "MessageReceived"),
        (of_constrained, ("message.received",), "MessageReceived"),
        (of_conversations, ("taskrouter.*",), "TaskRouterEvent"),
        (of_conversations, ("verify.factor.created",), "VerifyEvent"),
        (of_messages, ("*",), "WebhookEvent"),
        (of_union, ("message.*",), "MessageReceived"),
        (of_messages, ("unknown",), "WebhookEvent"),
        (of_a_dict, ("event.stream",), "StreamEvent"),
        (of_own, ("message.received",), "MessageReceived"),
        (of_messages, (CallReceived,), "CallReceived"),
    ],
)
def test_class_of_another_kind_is_refused(function: Any, kinds: tuple[Any, ...], missing: str) -> None:
    """A function gets the class of the kind; annotated with another one it could not work."""
    assert f"comes as {missing}." in refusal(lambda: Handlers().on(*kinds)(function))


def of_object(event: object, context: Context) -> None: ...


def of_bound(event: AnyEvent, context: Context) -> None: ...


def of_protocol(event: HasParams, context: Context) -> None: ...


def of_unresolved_alias(event: LazyAlias, context: Context) -> None: ...  # type: ignore[valid-type]


def of_typed_dict(event: HasBody, context: Context) -> None: ...


def of_unresolved(event: OnlyForCheckers, context: Context) -> None: ...


def unannotated(event, context):  # type: ignore[no-untyped-def]
    ...


@pytest.mark.parametrize(
    "function",
    [of_any, of_object, of_bound, of_protocol, of_typed_dict, of_unresolved, of_unresolved_alias, unannotated, anything],
)
def test_what_may_take_everything_is_taken(function: Callable[..., Any]) -> None:
    """Only what is plainly another class is refused."""
    Handlers().on("*")(function)
    Handlers().on(TaskRouterEvent, StreamEvent)(function)


def test_each_class_is_taken_for_its_kinds() -> None:
    """Unions, families and patterns of several kinds come as the classes that the function names."""
    for function in (of_union, of_old_union, of_annotated, of_constrained):
        Handlers().on("message.status", "call.status")(function)
    Handlers().on("conversation.*", "conversation.onMessageAdded")(of_conversations)
    Handlers().on("message.*")(of_messages)


def test_refused_handler_leaves_nothing_behind() -> None:
    """What was refused for one of its kinds is registered for none."""
    handlers = Handlers()
    handlers.on("message.status")(anything)
    message = refusal(lambda: handlers.on("message.received", "message.status")(of_messages))
    assert f"by {__name__}.anything ({__file__}, line " in message
    assert f"and by {__name__}.of_messages ({__file__}, line " in message
    with pytest.raises(LookupError):
        handlers.find("message.received")
