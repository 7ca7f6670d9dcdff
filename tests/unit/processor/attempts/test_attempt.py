"""One attempt of a handler, from its call to its verdict."""

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hookline import Context, Handlers, MessageReceived, RetryPolicy
from hookline_processor.attempts.threads import Threads
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.retry_record import Record
from hookline_processor.verdicts import Dead, Done, Reason, Retry
from hookline_shared.clock import SystemClock

if TYPE_CHECKING:
    pass
from tests.support.processor.attempts import attempt, attempts_of, held


async def test_handler_gets_event_and_context(handlers: Handlers, threads: Threads) -> None:
    """The event is typed; the context tells which attempt it is, and has the idempotency key and what hooks made."""
    seen: list[Any] = []
    handlers.state["pool"] = seen

    @handlers.on("message.received", timeout=7)
    async def note(event: MessageReceived, context: Context) -> None:
        assert context.state["pool"] is seen
        seen.extend((event.from_, context.attempt, context.idempotency_key, context.deadline - SystemClock().now_ms() / 1000))

    assert await attempt(handlers, threads, record=Record(failures=2)) == Done()
    sender, number, key, left_s = seen
    assert (sender, number, key) == ("+14155550123", 3, "d")
    assert 6 < left_s <= 7


async def test_plain_handler_that_raises_is_tried_again(handlers: Handlers, threads: Threads) -> None:
    """An error in a thread is judged like any other."""

    @handlers.on("message.received")
    def fail(event: MessageReceived, context: Context) -> None:
        raise KeyError("x")

    verdict = await attempt(handlers, threads)
    assert isinstance(verdict, Retry)
    assert verdict.record.failures == 1


async def test_unhandled_kind_is_dead(handlers: Handlers, threads: Threads) -> None:
    """An event that no handler is registered for is kept as a dead letter."""
    verdict = await attempt(handlers, threads)
    assert isinstance(verdict, Dead)
    assert verdict.reason is Reason.UNHANDLED


async def test_ignored_kind_is_done(handlers: Handlers, threads: Threads) -> None:
    """An ignored kind is settled."""
    handlers.ignore("message.received")
    assert await attempt(handlers, threads) == Done()


async def test_own_retry_policy_wins(handlers: Handlers, threads: Threads) -> None:
    """A handler with a retry policy of its own is judged by that one."""

    @handlers.on("message.received", retry=RetryPolicy(max_attempts=1))
    async def fail(event: MessageReceived, context: Context) -> None:
        raise ValueError

    verdict = await attempt(handlers, threads)
    assert isinstance(verdict, Dead)
    assert verdict.reason is Reason.EXHAUSTED


def leaks_stop_iteration(event: MessageReceived, context: Context) -> None:
    next(iter(()))


def gives_a_generator(event: MessageReceived, context: Context) -> object:
    return (number for number in range(3))


def gives_an_async_generator(event: MessageReceived, context: Context) -> object:
    return endless()


async def endless() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [leaks_stop_iteration, gives_a_generator, gives_an_async_generator])
async def test_plain_handler_that_cannot_be_right_has_failed(
    handlers: Handlers, threads: Threads, function: Callable[..., object]
) -> None:
    """A plain handler that leaks a StopIteration, or gives a generator that nobody runs, is not taken for done."""
    handlers.on("message.received")(function)
    verdict = await attempt(handlers, threads)
    assert isinstance(verdict, Retry)
    assert verdict.record.error.startswith("RuntimeError")


async def test_undecodable_body_is_no_reason_to_die(handlers: Handlers, threads: Threads) -> None:
    """An event whose parameters cannot be read fails like any other."""

    @handlers.on("message.received")
    async def look(event: MessageReceived, context: Context) -> None:
        assert event.body

    broken = InFlightEvent("messages", "1-0", msgspec.structs.replace(held().event, body=b"Body=%E9"))
    assert isinstance(await attempts_of(handlers, threads).make(broken), Retry)
