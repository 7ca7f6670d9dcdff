"""What runs around handlers."""

import asyncio
import threading
from contextvars import ContextVar

import pytest
from structlog.testing import capture_logs

from hookline import CallNext, Context, Handlers, HandlersError, MessageReceived, Reject, RetryPolicy, WebhookEvent
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.verdicts import Dead, Done, Reason, Retry, Verdict
from hookline_shared.clock import Clock, SystemClock
from hookline_shared.observability.logs import get_logger
from tests.support.processor.events import event as new_event
from tests.support.time.manual_clock import ManualClock

Steps = list[str]


@pytest.fixture
def steps() -> Steps:
    return []


def held() -> InFlightEvent:
    return InFlightEvent("messages", "1-0", new_event())


def attempts_of(handlers: Handlers, threads: Threads, clock: Clock | None = None) -> Attempts:
    return Attempts(handlers, 5, RetryPolicy(max_attempts=3), threads, clock or SystemClock(), get_logger("test"))


async def attempt(handlers: Handlers, threads: Threads) -> Verdict:
    return await attempts_of(handlers, threads).make(held())


def step_around(handlers: Handlers, steps: Steps, name: str) -> None:
    """Register a middleware that notes when it is entered and left."""

    @handlers.middleware
    async def note(event: WebhookEvent, context: Context, call_next: CallNext) -> None:
        steps.append(f"{name} in")
        await call_next(event, context)
        steps.append(f"{name} out")


async def test_first_registered_is_outermost(handlers: Handlers, threads: Threads, steps: Steps) -> None:
    """Middleware runs in the order of its registration, before or after the handler's own, and around every attempt."""
    step_around(handlers, steps, "first")

    @handlers.on("message.received")
    async def greet(event: MessageReceived, context: Context) -> None:
        steps.append("handler")

    step_around(handlers, steps, "second")
    attempts = attempts_of(handlers, threads)
    for _ in range(2):
        assert await attempts.make(held()) == Done()
    assert steps == ["first in", "second in", "handler", "second out", "first out"] * 2


async def test_plain_handler_runs_in_its_thread(handlers: Handlers, threads: Threads) -> None:
    """Middleware runs in the event loop also around a plain function; that one sees the context variables set there."""
    where: list[threading.Thread] = []
    language: ContextVar[str] = ContextVar("language")

    @handlers.middleware
    async def note(event: WebhookEvent, context: Context, call_next: CallNext) -> None:
        where.append(threading.current_thread())
        language.set("fr")
        await call_next(event, context)

    @handlers.on("message.received")
    def greet(event: MessageReceived, context: Context) -> None:
        assert language.get() == "fr"
        where.append(threading.current_thread())

    assert await attempt(handlers, threads) == Done()
    assert where[0] is threading.main_thread()
    assert where[1] is not threading.main_thread()


@pytest.mark.parametrize("error", [ValueError("no"), Reject("no")])
async def test_what_it_raises_counts_as_the_handlers(handlers: Handlers, threads: Threads, error: Exception) -> None:
    """A middleware that fails, before or after the handler, fails the attempt; it may reject, too."""

    @handlers.middleware
    async def fail(event: WebhookEvent, context: Context, call_next: CallNext) -> None:
        await call_next(event, context)
        raise error

    @handlers.on("message.received")
    async def greet(event: MessageReceived, context: Context) -> None: ...

    verdict = await attempt(handlers, threads)
    if isinstance(error, Reject):
        assert isinstance(verdict, Dead)
        assert verdict.reason is Reason.REJECTED
    else:
        assert isinstance(verdict, Retry)


async def test_it_may_turn_an_error_into_another(handlers: Handlers, threads: Threads) -> None:
    """What the handler raises goes through the middleware, which may know better what it means."""

    @handlers.middleware
    async def judge(event: WebhookEvent, context: Context, call_next: CallNext) -> None:
        try:
            await call_next(event, context)
        except KeyError as error:
            raise Reject("no such customer") from error

    @handlers.on("message.received")
    def greet(event: MessageReceived, context: Context) -> None:
        raise KeyError("x")

    assert isinstance(await attempt(handlers, threads), Dead)


async def test_without_call_next_the_event_is_settled(handlers: Handlers, threads: Threads, steps: Steps) -> None:
    """A middleware that returns early has dealt with the event."""

    @handlers.middleware
    async def skip(event: WebhookEvent, context: Context, call_next: CallNext) -> None: ...

    @handlers.on("message.received")
    async def greet(event: MessageReceived, context: Context) -> None:
        steps.append("handler")

    assert await attempt(handlers, threads) == Done()
    assert steps == []


async def test_timeout_holds_for_both(handlers: Handlers, threads: Threads) -> None:
    """Handler and middleware share the attempt's time, and a middleware that hangs is cancelled."""
    clock = ManualClock()

    @handlers.middleware
    async def hang(event: WebhookEvent, context: Context, call_next: CallNext) -> None:
        await clock.sleep(3)
        await call_next(event, context)

    @handlers.on("message.received", timeout=5)
    async def greet(event: MessageReceived, context: Context) -> None:
        await clock.sleep(3)

    attempting = asyncio.ensure_future(attempts_of(handlers, threads, clock).make(held()))
    await clock.advance(5)
    verdict = await attempting
    assert isinstance(verdict, Retry)
    assert verdict.record.error.startswith("TimeoutError")


async def test_plain_handler_is_waited_for_by_an_impatient_middleware(handlers: Handlers, threads: Threads) -> None:
    """A middleware's own time-out cannot end a plain function; the next attempt must not begin beside it."""
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    @handlers.middleware
    async def impatient(event: WebhookEvent, context: Context, call_next: CallNext) -> None:
        async with asyncio.timeout(0.001):
            await call_next(event, context)

    @handlers.on("message.received", timeout=0.02)
    def slow(event: MessageReceived, context: Context) -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)

    with capture_logs() as logs:
        attempting = asyncio.ensure_future(attempt(handlers, threads))
        await begun.wait()
        while not logs:
            await asyncio.sleep(0.001)
        assert not attempting.done()
        go_on.set()
        assert await attempting == Done()
    assert [line["event"] for line in logs] == ["handler overdue", "event done"]


async def test_withdrawal_ends_waiting_for_a_thread(handlers: Handlers, threads: Threads, steps: Steps) -> None:
    """At shutdown an attempt whose thread goes on ends all the same, middleware included."""
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    step_around(handlers, steps, "around")

    @handlers.on("message.received")
    def slow(event: MessageReceived, context: Context) -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)

    one = held()
    attempting = asyncio.ensure_future(attempts_of(handlers, threads).make(one))
    await begun.wait()
    one.withdrawn = True
    attempting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempting
    go_on.set()
    assert steps == ["around in"]


def plain(event: WebhookEvent, context: Context, call_next: CallNext) -> None: ...


async def nothing(event: WebhookEvent, context: Context, call_next: CallNext) -> None: ...


def test_plain_middleware_is_refused(handlers: Handlers) -> None:
    """It would give no coroutine to wait for, and its handlers would never run."""
    with pytest.raises(HandlersError, match=rf"plain \({__file__}, line \d+\) cannot be a middleware; write async def"):
        handlers.middleware(plain)  # type: ignore[type-var]


async def test_late_middleware_is_refused(handlers: Handlers, threads: Threads) -> None:
    """Once events are handled it could not be around all of them."""
    handlers.on("message.received")(lambda _event, _context: None)
    await attempt(handlers, threads)
    with pytest.raises(HandlersError, match=r"nothing \(.*\) comes too late"):
        handlers.middleware(nothing)


def test_no_middleware_costs_nothing(handlers: Handlers) -> None:
    """Without any, what runs is the handler itself."""

    @handlers.on(MessageReceived)
    async def greet(event: MessageReceived, context: Context) -> None: ...

    handler = handlers.find("message.received")
    assert handler is not None
    assert handlers.compose(handler, greet) is greet
