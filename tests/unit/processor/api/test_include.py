"""Registries that are put together of several."""

import functools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hookline import (
    CallNext,
    CallReceived,
    Context,
    Handlers,
    MessageReceived,
    MessageStatus,
    State,
    StateKey,
    WebhookEvent,
)
from hookline.testing import Done, deliver, started
from tests.support.processor.registration import refusal

Steps = list[str]
STEPS = StateKey[Steps]("steps")


def answer(event: WebhookEvent, context: Context) -> None: ...
def follow(event: WebhookEvent, context: Context) -> None: ...


def around(handlers: Handlers, name: str) -> None:
    """Register a middleware that notes when it is entered and left."""

    @handlers.middleware
    async def note(event: WebhookEvent, context: Context, call_next: CallNext) -> None:
        context.state[STEPS].append(f"{name} in")
        await call_next(event, context)
        context.state[STEPS].append(f"{name} out")


def handling(kind: Any, name: str) -> Handlers:
    """Return a registry with a handler of `kind` and a middleware, which note their names."""
    handlers = Handlers()
    around(handlers, name)

    async def note(event: WebhookEvent, context: Context) -> None:
        context.state[STEPS].append(f"{name} handler")

    handlers.on(kind)(note)
    return handlers


async def steps_of(handlers: Handlers, kind: str) -> Steps:
    handlers.state[STEPS] = []
    assert await deliver(handlers, kind) == Done()
    return handlers.state[STEPS]


async def test_included_handlers_are_found() -> None:
    """Handlers with their options and ignored kinds of both are there, and so are those that are included in turn."""
    inner, middle, outer = Handlers(), Handlers(), Handlers()
    inner.on(MessageReceived, timeout=90, breaker="crm")(answer)
    middle.ignore("call.*")
    middle.include(inner)
    outer.on(MessageStatus)(follow)
    outer.include(middle)
    found = outer.find("message.received")
    assert found is not None
    assert (found.function, found.timeout_s, found.breaker) == (answer, 90, "crm")
    assert outer.find("call.received") is None
    assert outer.longest_timeout(30) == 90
    assert {function for _, function in outer.functions()} == {answer, follow}


async def test_middleware_is_around_its_own_handlers() -> None:
    """That of the included is around its own handlers only, inside of that of the including, whichever came first."""
    messages, calls, outer = handling(MessageReceived, "messages"), handling(CallReceived, "calls"), handling("studio", "outer")
    messages.include(calls)
    outer.include(messages)
    around(outer, "late")
    inside = ["outer in", "late in"], ["late out", "outer out"]
    assert await steps_of(outer, "message.received") == [
        *inside[0],
        *("messages in", "messages handler", "messages out"),
        *inside[1],
    ]
    assert await steps_of(outer, "call.received") == [
        *inside[0],
        *("messages in", "calls in", "calls handler", "calls out", "messages out"),
        *inside[1],
    ]
    assert await steps_of(outer, "studio") == [*inside[0], "outer handler", *inside[1]]
    assert len({function for _, function in outer.functions()}) == 7


async def test_hooks_run_where_they_were_included() -> None:
    """Hooks and lifespans of all share one state and one order: that of registration, and the reverse at the end."""

    def with_hooks(name: str) -> Handlers:
        handlers = Handlers()

        @handlers.on_startup
        def start(state: State) -> None:
            state[STEPS].append(f"{name} started")

        @handlers.lifespan
        async def live(state: State) -> AsyncIterator[None]:
            state[STEPS].append(f"{name} opened")
            yield
            state[STEPS].append(f"{name} closed")

        @handlers.on_shutdown
        def stop(state: State) -> None:
            state[STEPS].append(f"{name} stopped")

        return handlers

    first, second, outer = with_hooks("first"), with_hooks("second"), Handlers()
    steps: Steps = []
    outer.state[STEPS] = steps
    outer.include(first)
    outer.include(second)
    async with started(outer):
        assert steps == ["first started", "first opened", "second started", "second opened"]
        steps.clear()
    assert steps == ["second stopped", "second closed", "first stopped", "first closed"]


def test_state_comes_along() -> None:
    """What was put into the state of the included is in that of the including; two values under one key are refused."""
    inner, outer = Handlers(), Handlers()
    inner.state["names"] = names = ["a"]
    outer.include(inner)
    assert outer.state["names"] is names
    other = Handlers()
    other.state["names"] = ["a"]
    assert "both registries have a state['names']" in refusal(lambda: outer.include(other))


def test_two_handlers_for_a_kind_are_refused() -> None:
    """One line names both functions with their files and lines, and nothing of the second registry is taken over."""
    first, second, outer = Handlers(), Handlers(), Handlers()
    first.on(MessageReceived)(answer)
    second.ignore("call.*")
    second.on("message.received")(follow)
    outer.include(first)
    message = refusal(lambda: outer.include(second))
    assert f'"message.received" is registered twice: by {__name__}.answer ({__file__}, line ' in message
    assert f"and by {__name__}.follow ({__file__}, line " in message
    assert "An event has exactly one handler" in message
    with pytest.raises(LookupError):
        outer.find("call.received")


def test_handler_of_an_ignored_kind_is_refused() -> None:
    """Which of the two counts cannot be told; the line says where the kind is ignored."""
    inner, outer = Handlers(), Handlers()
    outer.ignore(MessageReceived)
    inner.on(MessageReceived)(answer)
    assert f"by handlers.ignore ({__file__}, line " in refusal(lambda: outer.include(inner))


def test_longer_patterns_of_another_registry_count() -> None:
    """A kind of its own in one registry comes before its family in the other."""
    inner, outer = Handlers(), Handlers()
    inner.on("*")(follow)
    outer.on(MessageReceived)(answer)
    outer.include(inner)
    found = outer.find("message.received"), outer.find("studio")
    assert [one and one.function for one in found] == [answer, follow]


def test_registry_is_included_once() -> None:
    """Twice, also by way of another one, its hooks would run twice."""
    inner, middle, outer = Handlers(), Handlers(), Handlers()
    outer.include(inner)
    assert f"includes what was included already, at {__file__}, line " in refusal(lambda: outer.include(inner))
    middle.include(inner)
    assert "includes what was included already" in refusal(lambda: outer.include(middle))


def test_only_registries_are_included() -> None:
    """Naming the module instead of its handlers is an easy mistake."""
    message = refusal(lambda: Handlers().include(functools))  # type: ignore[arg-type]
    assert "includes a module. Name a Handlers(), such as orders.handlers." in message


def test_registry_may_be_included_in_two_others() -> None:
    """As when each test builds a registry of its own of the same parts."""
    inner = Handlers()
    inner.on(MessageReceived)(answer)
    for outer in (Handlers(), Handlers()):
        outer.include(inner)
        assert outer.find("message.received") is not None


def test_registry_cannot_be_included_in_itself() -> None:
    """Neither directly nor in a circle."""
    one, other = Handlers(), Handlers()
    assert "includes a registry in itself" in refusal(lambda: one.include(one))
    one.include(other)
    assert "its registry was included at" in refusal(lambda: other.include(one))


@pytest.mark.parametrize(
    "register",
    [
        lambda handlers: handlers.on(MessageReceived)(answer),
        lambda handlers: handlers.ignore(MessageReceived),
        lambda handlers: handlers.on_startup(lambda _state: None),
        lambda handlers: around(handlers, "late"),
        lambda handlers: handlers.include(Handlers()),
    ],
    ids=["on", "ignore", "on_startup", "middleware", "include"],
)
def test_included_registry_is_complete(register: Callable[[Handlers], object]) -> None:
    """What came later would be lost in silence."""
    inner = Handlers()
    Handlers().include(inner)
    message = refusal(functools.partial(register, inner))
    assert f"comes too late: its registry was included at {__file__}, line " in message


async def test_late_include_is_refused() -> None:
    """Once events are handled, hooks of another registry could not run before them."""
    handlers = Handlers()
    handlers.on(MessageReceived)(answer)
    await deliver(handlers, "message.received")
    assert "comes too late: events are being handled" in refusal(lambda: handlers.include(Handlers()))
    assert "comes too late" in refusal(lambda: handlers.on_startup(lambda _state: None))
