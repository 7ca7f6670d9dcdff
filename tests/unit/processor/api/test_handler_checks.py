"""What is refused when a handler is registered: at import, in one line with file and line, not when its first event comes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from hookline import (
    CallReceived,
    Context,
    ConversationEvent,
    Handlers,
    MessageReceived,
    WebhookEvent,
)
from hookline_shared.catalogue.kinds import FAMILIES, SINGLE
from tests.support.processor.registration import refusal


def anything(event: WebhookEvent, context: Context) -> None: ...


@pytest.mark.parametrize("kind", [*SINGLE, "message.*", "call.*", "recording.*", "event.*", "*"])
def test_every_kind_is_known(kind: str) -> None:
    """What ingress can make of a webhook can be registered and ignored."""
    Handlers().on(kind)(anything)
    Handlers().ignore(kind)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_twilio_adds_to_a_family_is_allowed(family: str) -> None:
    """The names within a family are Twilio's to choose."""
    for what in ("*", "onNewThing", "new.thing", "new.*"):
        Handlers().on(f"{family}.{what}")(anything)


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        ("message.recieved", "message.received"),
        ("messages.received", "message.received"),
        ("Message.Received", "message.received"),
        ("message", "message.*"),
        ("call.recieved", "call.received"),
        ("calls.*", "call.*"),
        ("recording.state", "recording.status"),
        ("studio.*", "studio"),
        ("events.stream", "event.stream"),
        ("sendgrid", "sendgrid.*"),
        ("transcripton", "transcription"),
        ("conversations.onMessageAdded", "conversation.onMessageAdded"),
        ("Conversation.onMessageAdded", "conversation.onMessageAdded"),
        ("conversation", "conversation.*"),
        ("taskruter.reservation.*", "taskrouter.reservation.*"),
    ],
)
def test_unknown_kind_is_refused_with_what_was_meant(kind: str, meant: str) -> None:
    """A kind that never comes would leave its events unhandled."""
    for register in (Handlers().on, Handlers().ignore):
        message = refusal(functools.partial(register, kind))
        assert f'There is no kind "{kind}", so nothing would come of it. Did you mean "{meant}"?' in message


def test_kind_like_no_other_is_refused_with_all_of_them() -> None:
    """Without anything similar, the kinds there are help."""
    message = refusal(lambda: Handlers().on("zzz"))
    assert "The kinds are message.received, message.status" in message
    assert "conversation.*" in message


def test_class_stands_for_its_kind() -> None:
    """A class is its kind or family, `WebhookEvent` everything; classes and strings can be mixed, and one be named twice."""
    handlers = Handlers()
    handlers.on(MessageReceived, "message.status", MessageReceived, "message.received", timeout=1)(anything)
    handlers.on(ConversationEvent, timeout=2)(anything)
    handlers.on(WebhookEvent, timeout=3)(anything)
    handlers.ignore(CallReceived, "call.status")
    kinds = ("message.received", "message.status", "conversation.onNew", "studio", "call.received", "call.status")
    found = [handlers.find(kind) for kind in kinds]
    assert [handler and handler.timeout_s for handler in found] == [1, 1, 2, 3, None, None]


class Own(MessageReceived):
    """No event ever comes as this."""


@pytest.mark.parametrize(
    ("named", "remedy"), [(int, "Name one such as MessageReceived"), (Own, "Events come as MessageReceived")]
)
def test_class_that_is_no_event_class_is_refused(named: Any, remedy: str) -> None:
    """No event would ever come as such a class."""
    message = refusal(lambda: Handlers().on(named))
    assert f"{named.__name__} is not the class of any event" in message
    assert remedy in message
    refusal(lambda: Handlers().ignore(named))


def of_any(event: Any, context: Context) -> None: ...


def without_context(event: MessageReceived) -> None: ...


def with_too_much(event: MessageReceived, context: Context, database: object) -> None: ...


def by_name_only(*, event: MessageReceived, context: Context) -> None: ...


def without_anything() -> None: ...


class Bot:
    async def method(self, event: MessageReceived, context: Context) -> None: ...
    @staticmethod
    def static(event: MessageReceived, context: Context) -> None: ...
    @classmethod
    async def of_class(cls, event: MessageReceived, context: Context) -> None: ...
    async def __call__(self, event: MessageReceived, context: Context) -> None: ...


class Short:
    def __call__(self, event: MessageReceived) -> None: ...


@pytest.mark.parametrize(
    ("function", "taken"),
    [
        (without_context, "must take (event, context), but takes (event)"),
        (with_too_much, "but takes (event, context, database)"),
        (by_name_only, "but takes (event, context)"),
        (without_anything, "but takes ()"),
        (lambda event: None, "but takes (event)"),
        (functools.partial(with_too_much), "but takes (event, context, database)"),
        (functools.partial(of_any, None), "but takes (context)"),
        (Bot.method, "but takes (self, event, context). Register the bound method of an object."),
        (Short(), "but takes (event)"),
        (Bot, "is a class"),
        (5, "cannot be called"),
        (None, "cannot be called"),
    ],
)
def test_function_that_cannot_take_event_and_context_is_refused(function: Any, taken: str) -> None:
    """It would fail at every event."""
    assert taken in refusal(lambda: Handlers().on("message.received")(function))


def adding_a_database(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(event: Any, context: Any) -> Any:
        return function(event, context, "database")

    return wrapper


def passing_on(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*words: Any, **named: Any) -> Any:
        return function(*words, **named)

    return wrapper


def with_defaults(event: MessageReceived, context: Context, retries: int = 3, *, loud: bool = False) -> None: ...


@pytest.mark.parametrize(
    "function",
    [
        with_defaults,
        adding_a_database(with_too_much),
        passing_on(anything),
        functools.partial(with_too_much, database=None),
        Bot(),
        Bot().method,
        Bot().static,
        Bot.static,
        Bot.of_class,
        functools.partial(Bot().method),
        print,
        lambda *_: None,
    ],
)
def test_every_guise_of_a_function_is_taken(function: Callable[..., Any]) -> None:
    """Whatever can be called with the two is a handler."""
    Handlers().on(MessageReceived)(function)


def test_guises_with_another_class_are_refused() -> None:
    """The annotation is found behind partials, methods, callable objects and decorators."""
    for function in (passing_on(with_defaults), Bot(), Bot().method, functools.partial(with_too_much, database=None)):
        message = refusal(lambda function=function: Handlers().on("call.status")(function))  # type: ignore[misc]
        assert 'takes MessageReceived, but "call.status" comes as CallStatus. Change the annotation' in message
