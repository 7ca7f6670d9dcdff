"""Attempts that are ended: by their time-out, by a shutdown, or by the handler itself."""

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from hookline import Context, Handlers, MessageReceived, RetryPolicy
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.verdicts import Done, Retry
from hookline_shared.observability.logs import get_logger
from tests.support.time.manual_clock import ManualClock

if TYPE_CHECKING:
    pass
from tests.support.processor.attempts import attempt, attempts_of, held


async def test_timeout_cancels_an_async_handler(handlers: Handlers, threads: Threads) -> None:
    """An async handler past its time-out is cancelled and tried again."""
    cancelled = asyncio.Event()

    @handlers.on("message.received", timeout=0.01)
    async def hang(event: MessageReceived, context: Context) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    verdict = await attempt(handlers, threads)
    assert isinstance(verdict, Retry)
    assert verdict.record.error.startswith("TimeoutError")
    assert cancelled.is_set()


async def test_overdue_thread_is_waited_for(handlers: Handlers, threads: Threads) -> None:
    """A plain handler past its time-out is reported and waited for; that it succeeds in the end is what counts."""
    go_on = threading.Event()

    @handlers.on("message.received", timeout=0.01)
    def slow(event: MessageReceived, context: Context) -> None:
        go_on.wait(10)

    with capture_logs() as logs:
        attempting = asyncio.ensure_future(attempt(handlers, threads))
        while not logs:
            await asyncio.sleep(0.001)
        assert threads.busy == 1
        go_on.set()
        assert await attempting == Done()
    assert [line["event"] for line in logs] == ["handler overdue", "event done"]


async def test_handler_that_ignores_its_cancellation_is_reported(handlers: Handlers, threads: Threads) -> None:
    """An async handler that goes on after its time-out is named and counted; that it succeeds in the end is what counts."""
    clock, go_on = ManualClock(), asyncio.Event()

    @handlers.on("message.received", timeout=5)
    async def stubborn(event: MessageReceived, context: Context) -> None:
        while not go_on.is_set():
            with suppress(asyncio.CancelledError):
                await go_on.wait()

    before = overdue()
    with capture_logs() as logs:
        attempts = Attempts(handlers, 5, RetryPolicy(), threads, clock, get_logger("test"))
        attempting = asyncio.ensure_future(attempts.make(held()))
        await clock.advance(6)
        go_on.set()
        assert await attempting == Done()
    line, _ = logs
    assert (line["event"], line["timeout_s"], line["remedy"][:27]) == ("handler overdue", 5, "it ignores its cancellation")
    assert line["handler"].endswith("stubborn")
    assert overdue() == before + 1


def overdue() -> float:
    return REGISTRY.get_sample_value("hookline_handler_overdue_total", {"kind": "message.received"}) or 0


async def test_cancelled_attempt_is_none(handlers: Handlers, threads: Threads) -> None:
    """An attempt that is withdrawn, as at shutdown, yields no verdict."""
    begun = asyncio.Event()

    @handlers.on("message.received")
    async def wait(event: MessageReceived, context: Context) -> None:
        begun.set()
        await asyncio.sleep(60)

    attempts = attempts_of(handlers, threads)
    one = held()
    attempting = asyncio.ensure_future(attempts.make(one))
    await begun.wait()
    one.withdrawn = True
    attempting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempting


async def test_withdrawal_wins_over_the_timeout(handlers: Handlers, threads: Threads) -> None:
    """An attempt that is withdrawn while its handler still cleans up after the time-out has not failed."""
    clock, cleaning, clean = ManualClock(), asyncio.Event(), asyncio.Event()

    @handlers.on("message.received", timeout=5)
    async def tidy(event: MessageReceived, context: Context) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            await clean.wait()

    attempts = Attempts(handlers, 5, RetryPolicy(), threads, clock, get_logger("test"))
    one = held()
    attempting = asyncio.ensure_future(attempts.make(one))
    await clock.advance(5)
    await cleaning.wait()
    one.withdrawn = True
    attempting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempting


async def test_handler_that_swallows_the_shutdown_has_not_failed(handlers: Handlers, threads: Threads) -> None:
    """A handler that turns the shutdown's cancellation into an error of its own burns no attempt."""
    begun = asyncio.Event()

    @handlers.on("message.received")
    async def convert(event: MessageReceived, context: Context) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise RuntimeError("lost the connection") from None

    attempts = attempts_of(handlers, threads)
    one = held()
    attempting = asyncio.ensure_future(attempts.make(one))
    await begun.wait()
    one.withdrawn = True
    attempting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempting


async def test_handler_that_cancels_itself_has_failed(handlers: Handlers, threads: Threads) -> None:
    """A handler whose task is cancelled by anything but the shutdown has failed, and its conversation goes on."""

    @handlers.on("message.received")
    async def cancel_me(event: MessageReceived, context: Context) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    assert isinstance(await attempt(handlers, threads), Retry)


async def test_handler_that_cancels_itself_again_and_again(handlers: Handlers, threads: Threads) -> None:
    """Cancelling its own task, however often, is a failure of the handler, and leaves nothing behind."""

    @handlers.on("message.received")
    async def cancel(event: MessageReceived, context: Context) -> None:
        task = asyncio.current_task()
        assert task is not None
        for _ in range(3):
            task.cancel()
        await asyncio.sleep(0)

    assert isinstance(await attempt(handlers, threads), Retry)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)
