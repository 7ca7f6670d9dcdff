"""Registering and loading handlers."""

import asyncio
import functools
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta

import pytest

from hookline import Context, Handlers, HandlersError, MessageReceived, WebhookEvent


async def on_message(event: MessageReceived, context: Context) -> None: ...


def plain(event: WebhookEvent, context: Context) -> None: ...


def test_handler_is_found_by_kind() -> None:
    """Each kind has its handler, with its own time-out; both ways of writing functions are distinguished."""
    handlers = Handlers()
    assert handlers.on("message.received", timeout=3)(on_message) is on_message
    handlers.on("call.status", "call.received")(plain)
    message, call = handlers.find("message.received"), handlers.find("call.received")
    assert message is not None
    assert call is not None
    assert (message.function, message.timeout_s, message.is_async) == (on_message, 3, True)
    assert (call.function, call.timeout_s, call.is_async) == (plain, None, False)


def test_star_takes_the_rest() -> None:
    """The "*" handler gets the kinds that have none of their own, and no ignored ones."""
    handlers = Handlers()
    handlers.on("*")(plain)
    handlers.on("message.received")(on_message)
    handlers.ignore("call.status")
    rest = handlers.find("anything")
    assert rest is not None
    assert rest.function is plain
    assert handlers.find("call.status") is None


def test_missing_handler_says_how_to_add_it() -> None:
    """A kind without a handler is an error that names both remedies."""
    with pytest.raises(LookupError, match=r'@handlers.on\("x.y"\).*handlers.ignore\("x.y"\)'):
        Handlers().find("x.y")


def test_second_handler_for_a_kind_is_refused() -> None:
    """An event has exactly one handler."""
    handlers = Handlers()
    handlers.on("message.received")(on_message)
    with pytest.raises(HandlersError, match="exactly one"):
        handlers.on("message.received")(plain)


def test_decorator_without_a_kind_is_refused() -> None:
    """Forgetting the kind is reported at once, not when the first event comes."""
    with pytest.raises(HandlersError, match=f"No kind of event is named.*{__file__}, line "):
        Handlers().on()  # type: ignore[call-overload]
    with pytest.raises(HandlersError, match="No kind of event is named"):
        Handlers().on(on_message)  # type: ignore[call-overload]


class CallableObject:
    async def __call__(self, event: MessageReceived, context: Context) -> None: ...


def undecorated(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def wrapper(*words: object) -> object:
        return function(*words)

    return wrapper


def in_a_thread(function: Callable[..., object]) -> Callable[..., Awaitable[object]]:
    @functools.wraps(function)
    async def wrapper(*words: object) -> object:
        return await asyncio.to_thread(function, *words)

    return wrapper


@pytest.mark.parametrize(
    "function",
    [
        on_message,
        functools.partial(on_message),
        CallableObject(),
        CallableObject().__call__,
        in_a_thread(plain),
        functools.partial(in_a_thread(plain)),
    ],
    ids=["function", "partial", "object", "method", "async decorator", "partial of that"],
)
def test_async_handlers_are_told_in_every_guise(function: Callable[..., object]) -> None:
    """Whatever gives a coroutine is awaited, and has a name for the logs."""
    handlers = Handlers()
    handlers.on("message.received")(function)
    handler = handlers.find("message.received")
    assert handler is not None
    assert handler.is_async
    assert handler.name


def test_outermost_function_decides() -> None:
    """A plain decorator of an async function is plain: it may run the coroutine by itself."""
    handlers = Handlers()
    handlers.on("message.received")(undecorated(on_message))
    handler = handlers.find("message.received")
    assert handler is not None
    assert (handler.is_async, handler.wraps_async) == (False, True)


def yields(event: MessageReceived, context: Context) -> Iterator[None]:
    yield


async def yields_too(event: MessageReceived, context: Context) -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize("function", [yields, yields_too])
def test_generator_is_no_handler(function: Callable[..., object]) -> None:
    """A generator's body would never run, so it is refused at once."""
    with pytest.raises(HandlersError, match="has a yield in it"):
        Handlers().on("message.received")(function)


def test_timeout_must_leave_time() -> None:
    """A time-out of nothing is a mistake, not the default."""
    for timeout in (0, -1, math.nan, math.inf, timedelta(0), "10", True):
        with pytest.raises(HandlersError, match="is no time-out"):
            Handlers().on("message.received", timeout=timeout)  # type: ignore[arg-type]


def test_timeout_may_be_a_timedelta() -> None:
    """Seconds and a timedelta say the same."""
    handlers = Handlers()
    handlers.on("message.received", timeout=timedelta(minutes=2))(on_message)
    handler = handlers.find("message.received")
    assert handler is not None
    assert handler.timeout_s == handlers.longest_timeout(30) == 120


def test_longest_pattern_counts() -> None:
    """A kind of its own comes before its families, a narrow family before a wide one, and any of them before "*"."""
    handlers = Handlers()
    registered = ("*", "taskrouter.*", "taskrouter.reservation.*", "taskrouter.reservation.created")
    for pattern in registered:
        handlers.on(pattern, timeout=len(pattern))(plain)
    found = {
        "taskrouter.reservation.created": "taskrouter.reservation.created",
        "taskrouter.reservation.accepted": "taskrouter.reservation.*",
        "taskrouter.task.created": "taskrouter.*",
        "taskrouter": "*",
        "taskrouters.task": "*",
        "message.received": "*",
    }
    for kind, pattern in found.items():
        handler = handlers.find(kind)
        assert handler is not None
        assert handler.timeout_s == len(pattern), kind


def test_family_can_be_ignored_but_for_one() -> None:
    """What is ignored as a family is ignored, and its one kind with a handler is not."""
    handlers = Handlers()
    handlers.ignore("conversation.*")
    handlers.on("conversation.onMessageAdded")(plain)
    assert handlers.find("conversation.onMessageAdded") is not None
    assert handlers.find("conversation.onTypingStarted") is None
    with pytest.raises(LookupError):
        handlers.find("message.received")


@pytest.mark.parametrize("pattern", ["mess*", "*.received", "a.*.b", "**", ".*", "message.**", ""])
def test_pattern_that_could_match_nothing_is_refused(pattern: str) -> None:
    """A "*" in the wrong place is reported at once, with what may be written, not when events go unhandled."""
    with pytest.raises(HandlersError, match=r'is no kind\. Write all of it.*"message\.\*"'):
        Handlers().on(pattern)(plain)
    with pytest.raises(HandlersError, match="is no kind"):
        Handlers().ignore(pattern)
