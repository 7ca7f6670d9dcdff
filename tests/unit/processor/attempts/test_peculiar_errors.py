"""What handlers may raise beside ordinary errors: it is a failure of theirs, and nothing more."""

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import pytest
from structlog.testing import capture_logs

from hookline import Context, Handlers, MessageReceived, RetryLater, RetryPolicy, WebhookEvent
from hookline_processor.attempts.threads import Threads
from hookline_processor.retry_record import Record
from hookline_processor.verdicts import Dead, Retry

if TYPE_CHECKING:
    pass
from tests.support.processor.attempts import attempt, attempts_of, held


class OwnError(BaseException):
    """No Exception, and nothing can be told of it."""

    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__

    @property
    def __traceback__(self) -> None:
        raise GeneratorExit

    @__traceback__.setter
    def __traceback__(self, value: object) -> None:
        raise SystemExit


NO_EXCEPTIONS: Final[dict[str, Callable[[], BaseException]]] = {
    "cancelled": asyncio.CancelledError,
    "exit": lambda: SystemExit(1),
    "interrupt": KeyboardInterrupt,
    "generator exit": GeneratorExit,
    "group": lambda: BaseExceptionGroup("several", [KeyboardInterrupt(), ValueError("x")]),
    "bare": BaseException,
    "own": OwnError,
    "stop iteration": StopIteration,
    "thread cancelled": concurrent.futures.CancelledError,
}


@pytest.fixture(params=list(NO_EXCEPTIONS.values()), ids=list(NO_EXCEPTIONS))
def no_exception(request: pytest.FixtureRequest) -> Callable[[], BaseException]:
    """Return a maker of something that is raised and is no `Exception`, or a peculiar one."""
    made: Callable[[], BaseException] = request.param
    return made


async def assert_failed(handlers: Handlers, threads: Threads) -> None:
    """Check that the event is tried again, then a dead letter, and that the log names it each time."""
    with capture_logs() as logs:
        assert isinstance(await attempt(handlers, threads), Retry)
        assert isinstance(await attempt(handlers, threads, Record(failures=2)), Dead)
    failures = [line for line in logs if line["event"] in ("attempt failed", "event is dead")]
    assert [line["event_id"] for line in failures] == ["e1", "e1"]


async def test_handler_cannot_take_the_service_along(
    handlers: Handlers, threads: Threads, no_exception: Callable[[], BaseException]
) -> None:
    """A handler that exits, lets a cancellation of its own escape, or raises anything else, has failed; nothing more."""

    @handlers.on("message.received")
    async def fail(event: MessageReceived, context: Context) -> None:
        await asyncio.sleep(0)
        raise no_exception()

    await assert_failed(handlers, threads)


async def test_plain_handler_cannot_take_the_service_along(
    handlers: Handlers, threads: Threads, no_exception: Callable[[], BaseException]
) -> None:
    """The same in a thread."""

    @handlers.on("message.received")
    def fail(event: MessageReceived, context: Context) -> None:
        raise no_exception()

    await assert_failed(handlers, threads)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_middleware_cannot_take_the_service_along(
    handlers: Handlers, threads: Threads, no_exception: Callable[[], BaseException], before: bool
) -> None:
    """The same around a handler."""

    @handlers.middleware
    async def fail(event: WebhookEvent, context: Context, call_next: Callable[..., Awaitable[None]]) -> None:
        if not before:
            await call_next(event, context)
        raise no_exception()

    @handlers.on("message.received")
    async def succeed(event: MessageReceived, context: Context) -> None: ...

    await assert_failed(handlers, threads)


class ElusiveType(type):
    """A class of which nobody can tell what is an instance of it."""

    def __instancecheck__(cls, instance: object) -> bool:
        raise KeyboardInterrupt


class ElusiveError(Exception, metaclass=ElusiveType):
    """Cannot be looked for in `give_up_on`."""


async def test_error_that_cannot_be_judged(handlers: Handlers, threads: Threads) -> None:
    """A `give_up_on` that fails itself, and a delay that is no number any more, are failures like any other."""

    @handlers.on("message.received", retry=RetryPolicy(max_attempts=3, give_up_on=(ElusiveError,)))
    async def fail(event: MessageReceived, context: Context) -> None:
        raise ValueError

    @handlers.on("message.status", retry=RetryPolicy(max_attempts=3))
    async def later(event: WebhookEvent, context: Context) -> None:
        error = RetryLater(1)
        error.delay = float("nan")
        raise error

    await assert_failed(handlers, threads)
    assert isinstance(await attempts_of(handlers, threads).make(held(kind="message.status")), Retry)
