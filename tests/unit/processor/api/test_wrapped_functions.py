"""Functions inside of functions: what is registered is judged by itself, not by what it wraps, and whatever runs, succeeds."""

import asyncio
import contextlib
import functools
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final
from unittest.mock import AsyncMock, MagicMock

import pytest

from hookline import Context, Handlers, HandlersError, MessageReceived
from hookline.testing import Done, HookError, Retry, deliver, started
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.retry import RetryPolicy
from hookline_shared.observability.logs import get_logger
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event as new_event
from tests.support.time.manual_clock import ManualClock

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]

CALLS: Final[list[str]] = []


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


async def an_async(*_: object) -> None:
    await asyncio.sleep(0)
    CALLS.append("async")


def a_plain(*_: object) -> None:
    CALLS.append("plain")


def passes_on(function: Function) -> Function:
    @functools.wraps(function)
    def wrapper(*given: object) -> object:
        return function(*given)

    return wrapper


def runs(function: Function) -> Function:
    """Run an async function in an event loop of its own."""

    @functools.wraps(function)
    def wrapper(*given: object) -> None:
        asyncio.run(function(*given))

    return wrapper


def runs_in_ours(function: Function) -> Function:
    """Run an async function in the loop that is there at registration, and wait for it, as adapters do."""
    loop = asyncio.get_running_loop()

    @functools.wraps(function)
    def wrapper(*given: object) -> None:
        asyncio.run_coroutine_threadsafe(function(*given), loop).result(10)

    return wrapper


def makes_a_task(function: Function) -> Function:
    @functools.wraps(function)
    def wrapper(*given: object) -> object:
        return asyncio.ensure_future(function(*given))

    return wrapper


def gathers(function: Function) -> Function:
    @functools.wraps(function)
    def wrapper(*given: object) -> object:
        return asyncio.gather(function(*given))

    return wrapper


def awaits(function: Function) -> Function:
    @functools.wraps(function)
    async def wrapper(*given: object) -> object:
        return await function(*given)

    return wrapper


def forgets_to_await(function: Function) -> Function:
    @functools.wraps(function)
    async def wrapper(*given: object) -> object:
        return function(*given)

    return wrapper


def calls(function: Function) -> Function:
    """Call a plain function."""

    @functools.wraps(function)
    async def wrapper(*given: object) -> object:
        await asyncio.sleep(0)
        return function(*given)

    return wrapper


def in_a_lambda(function: Function) -> Function:
    return lambda one, two=None: function(one, two)


def in_an_object(function: Function) -> Function:
    class Object:
        def __call__(self, *given: object) -> object:
            return function(*given)

    return Object()


def in_an_async_object(function: Function) -> Function:
    class Object:
        async def __call__(self, *given: object) -> object:
            return await function(*given)

    return Object()


def in_an_object_that_wraps(function: Function) -> Function:
    class Object:
        def __init__(self) -> None:
            functools.update_wrapper(self, function)

        def __call__(self, *given: object) -> object:
            return function(*given)

    return Object()


def as_a_method(function: Function) -> Function:
    class Bot:
        @passes_on
        async def handle(self, *given: object) -> None:
            await function(*given)

    return Bot().handle


AROUND_ASYNC: Final = [
    *(passes_on, runs, runs_in_ours, makes_a_task, gathers, awaits, forgets_to_await, in_a_lambda, in_an_object),
    *(in_an_async_object, in_an_object_that_wraps, as_a_method, functools.partial),
]
HIDING: Final = (in_a_lambda, in_an_object)
"""Nobody can see what is in them."""
AROUND_PLAIN: Final = [passes_on, calls, in_a_lambda, in_an_object, in_an_object_that_wraps, functools.partial]


@pytest.fixture
def collected() -> Iterator[None]:
    """Let no coroutine of a first call, which fails in a thread, be found in a later test."""
    yield
    gc.collect()


@pytest.mark.usefixtures("collected")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # the first call, in a thread, fails
@pytest.mark.parametrize("outer", [None, passes_on, awaits, functools.partial, in_a_lambda, in_an_object])
@pytest.mark.parametrize("decorator", AROUND_ASYNC)
async def test_async_handler_inside_of_anything(decorator: Decorator, outer: Decorator | None) -> None:
    """It runs once for each event, however it is wrapped, the second time as the first."""
    handlers, function = Handlers(), decorator(an_async)
    if (outer is awaits and decorator in (runs, runs_in_ours)) or (outer in HIDING and decorator in (makes_a_task, gathers)):
        outer = passes_on  # there is nothing to await; or nobody can see that it needs the event loop
    handlers.on("message.received")(outer(function) if outer else function)
    await assert_handled(handlers, "async")


@pytest.mark.parametrize("outer", [None, passes_on, functools.partial, in_a_lambda, in_an_object])
@pytest.mark.parametrize("decorator", AROUND_PLAIN)
async def test_plain_handler_inside_of_anything(decorator: Decorator, outer: Decorator | None) -> None:
    """The same of a plain function, also if an async one wraps it."""
    handlers, function = Handlers(), decorator(a_plain)
    handlers.on("message.received")(outer(function) if outer else function)
    await assert_handled(handlers, "plain")


async def assert_handled(handlers: Handlers, what: str) -> None:
    """Handle several events with the same attempts, as a processor does."""
    threads = Threads(2)
    attempts = Attempts(handlers, 5, RetryPolicy(), threads, ManualClock(), get_logger("test"))
    for number in range(1, 4):
        assert await attempts.make(InFlightEvent("messages", "1-0", new_event())) == Done()
        assert [what] * number == CALLS
    threads.close()


@pytest.mark.parametrize("mock", [AsyncMock, MagicMock])
async def test_mock_as_a_handler(mock: Callable[[], Any]) -> None:
    """Mocks stand for functions in tests of handlers."""
    handlers, made = Handlers(), mock()
    handlers.on("message.received")(made)
    handler = handlers.find("message.received")
    assert handler is not None
    assert handler.is_async is isinstance(made, AsyncMock)
    assert await deliver(handlers, "message.received") == Done()
    made.assert_called_once()
    if isinstance(made, AsyncMock):
        made.assert_awaited_once()


async def test_plain_handler_that_needs_the_event_loop() -> None:
    """It cannot succeed, and the error says what to write."""
    handlers = Handlers()
    handlers.on("message.received")(lambda _event, _context: asyncio.get_running_loop())
    outcome = await deliver(handlers, "message.received")
    assert isinstance(outcome, Retry)
    assert outcome.failure is not None
    assert "which has no event loop: declare it async def." in outcome.failure.traceback


@pytest.mark.usefixtures("collected")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("decorator", AROUND_ASYNC)
async def test_async_hooks_inside_of_anything(decorator: Decorator) -> None:
    """Hooks are judged like handlers."""
    handlers, function = Handlers(), decorator(an_async)
    handlers.on_startup(function)
    handlers.on_shutdown(function)
    async with started(handlers):
        assert CALLS == ["async"]
    assert CALLS == ["async", "async"]


@pytest.mark.parametrize("decorator", AROUND_PLAIN)
async def test_plain_hooks_inside_of_anything(decorator: Decorator) -> None:
    """The same of plain functions."""
    handlers, function = Handlers(), decorator(a_plain)
    handlers.on_startup(function)
    async with started(handlers):
        assert CALLS == ["plain"]


async def around(event: MessageReceived, context: Context, call_next: Function) -> None:
    CALLS.append("in")
    await call_next(event, context)
    CALLS.append("out")


def in_a_lambda_of_three(function: Function) -> Function:
    return lambda event, context, call_next: function(event, context, call_next)  # noqa: PLW0108 - that is what is tried


@pytest.mark.parametrize(
    "decorator",
    [
        *(passes_on, makes_a_task, gathers, awaits, in_a_lambda_of_three, in_an_async_object, in_an_object_that_wraps),
        *(as_a_method, functools.partial),
    ],
)
@pytest.mark.parametrize("handler", [an_async, a_plain])
async def test_middleware_inside_of_anything(decorator: Decorator, handler: Function) -> None:
    """Middleware that gives something to await is awaited."""
    handlers = Handlers()
    handlers.middleware(decorator(around))
    handlers.on("message.received")(handler)
    assert await deliver(handlers, "message.received") == Done()
    assert ["in", "async" if handler is an_async else "plain", "out"] == CALLS


async def test_middleware_that_gives_nothing_to_await() -> None:
    """It has run nothing, so the event is not taken for done, and the error says what to write."""
    handlers = Handlers()
    handlers.middleware(lambda event, context, call_next: None)  # type: ignore[type-var]
    handlers.on("message.received")(an_async)
    outcome = await deliver(handlers, "message.received")
    assert isinstance(outcome, Retry)
    assert outcome.failure is not None
    assert outcome.failure.message.endswith("returned None; make it async def, and await call_next")


async def opens(state: dict[str, str]) -> AsyncIterator[None]:
    CALLS.append("opened")
    yield
    CALLS.append("closed")


@pytest.mark.parametrize(
    "decorator", [None, passes_on, in_an_object_that_wraps, functools.partial, contextlib.asynccontextmanager]
)
async def test_lifespan_inside_of_anything(decorator: Decorator | None) -> None:
    """A lifespan that a plain function passes on is one."""
    handlers = Handlers()
    handlers.lifespan(decorator(opens) if decorator else opens)
    async with started(handlers):
        assert CALLS == ["opened"]
    assert CALLS == ["opened", "closed"]


def test_coroutine_around_a_generator_is_no_lifespan() -> None:
    """What is called gives a coroutine and no generator, which is told at once."""
    with pytest.raises(HandlersError, match="cannot be a lifespan"):
        Handlers().lifespan(calls(opens))


async def test_lifespan_that_gives_something_else() -> None:
    """A decorator that swallows the generator is named."""

    @functools.wraps(opens)
    def swallow(state: object) -> int:
        return 7

    handlers = Handlers()
    handlers.lifespan(swallow)  # type: ignore[type-var]
    with pytest.raises(HookError, match="returned a int and no generator"):
        async with started(handlers):
            pass


def test_context_manager_is_no_handler() -> None:
    """It would be opened by nobody, so its body would never run."""
    for function in (contextlib.asynccontextmanager(opens), contextlib.contextmanager(iterates)):
        with pytest.raises(HandlersError, match="has a yield"):
            Handlers().on_startup(function)


def iterates(state: object) -> Iterator[None]:
    CALLS.append("begun")
    yield
    CALLS.append("ended")


def exhausts(function: Function) -> Function:
    @functools.wraps(function)
    def wrapper(*given: object) -> None:
        for _ in function(*given):
            pass

    return wrapper


async def test_generator_inside_of_a_function_that_runs_it() -> None:
    """What is registered is an ordinary function, whatever it wraps."""
    handlers = Handlers()
    handlers.on_startup(exhausts(iterates))
    handlers.on("message.received")(exhausts(lambda _event, _context: iterates(None)))
    async with started(handlers):
        assert CALLS == ["begun", "ended"]
    assert await deliver(handlers, "message.received") == Done()


class Stage:
    """Attempts with a clock that is turned by hand."""

    def __init__(self, function: Function, clock: ManualClock, logbook: Logbook) -> None:
        handlers = Handlers()
        handlers.on("message.received", timeout=5)(function)
        self.threads = Threads(2)
        self.attempts = Attempts(handlers, 5, RetryPolicy(), self.threads, clock, logbook.logger)
        self.in_flight = InFlightEvent("messages", "1-0", new_event())

    def begin(self) -> "asyncio.Task[Any]":
        return asyncio.create_task(self.attempts.make(self.in_flight))


async def test_timeout_of_what_a_plain_function_returned(clock: ManualClock, logbook: Logbook) -> None:
    """Once it runs in the event loop, it is cancelled at the time-out, as an async function is."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    stage = Stage(lambda _event, _context: hang(), clock, logbook)
    attempting = stage.begin()
    await begun.wait()
    assert stage.attempts.can_be_stopped(stage.in_flight)
    await clock.advance(5)
    verdict = await attempting
    assert isinstance(verdict, Retry)
    assert verdict.record.error.startswith("TimeoutError")
    assert cancelled.is_set()
    stage.threads.close()


async def test_plain_function_that_returns_too_late(clock: ManualClock, logbook: Logbook) -> None:
    """What it returns after its time-out is not begun."""
    go_on, inside = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(_event: object, _context: object) -> object:
        loop.call_soon_threadsafe(inside.set)
        go_on.wait(10)
        return an_async()

    stage = Stage(slow, clock, logbook)
    attempting = stage.begin()
    await inside.wait()
    assert not stage.attempts.can_be_stopped(stage.in_flight)
    await clock.advance(5)
    assert logbook.find("handler overdue") is not None
    go_on.set()
    verdict = await attempting
    assert isinstance(verdict, Retry)
    assert CALLS == []
    stage.threads.close()
