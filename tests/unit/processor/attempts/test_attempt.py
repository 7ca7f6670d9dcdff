"""One attempt of a handler, from its call to its verdict."""

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from hookline import Context, Handlers, MessageReceived, Reject, RetryLater, RetryPolicy, WebhookEvent
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.retry import Record
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry, Verdict
from hookline_shared.clock import SystemClock
from hookline_shared.event import Event
from hookline_shared.forms import FORM
from hookline_shared.observability.logs import CURRENT_EVENT, get_logger
from tests.support.time.manual_clock import ManualClock

if TYPE_CHECKING:
    from hookline_processor.attempts.tracing import AttemptSpans


@pytest.fixture
def threads() -> Iterator[Threads]:
    made = Threads(2)
    yield made
    made.close()


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


def held(record: Record | None = None, kind: str = "message.received") -> InFlightEvent:
    body = b"MessageSid=SM1&From=%2B14155550123&Body=my+secret"
    event = Event(id="e1", kind=kind, key="k", dedupe_key="d", received_at=0, content_type=FORM, target="/twilio", body=body)
    return InFlightEvent("messages", "1-0", event, record or Record())


def attempts_of(handlers: Handlers, threads: Threads) -> Attempts:
    return Attempts(handlers, 5, RetryPolicy(max_attempts=3), threads, SystemClock(), get_logger("test"))


async def attempt(handlers: Handlers, threads: Threads, record: Record | None = None) -> Verdict:
    return await attempts_of(handlers, threads).make(held(record))


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


async def test_plain_handler_that_raises_is_tried_again(handlers: Handlers, threads: Threads) -> None:
    """An error in a thread is judged like any other."""

    @handlers.on("message.received")
    def fail(event: MessageReceived, context: Context) -> None:
        raise KeyError("x")

    verdict = await attempt(handlers, threads)
    assert isinstance(verdict, Retry)
    assert verdict.record.failures == 1


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


async def test_unhandled_kind_is_dead(handlers: Handlers, threads: Threads) -> None:
    """An event that no handler is registered for is kept as a dead letter."""
    verdict = await attempt(handlers, threads)
    assert isinstance(verdict, Dead)
    assert verdict.reason is Reason.UNHANDLED


async def test_ignored_kind_is_done(handlers: Handlers, threads: Threads) -> None:
    """An ignored kind is settled."""
    handlers.ignore("message.received")
    assert await attempt(handlers, threads) == Done()


async def test_failure_is_reported_without_personal_data(handlers: Handlers, threads: Threads) -> None:
    """The log line has error and traceback, but no value of the event that is personal."""

    @handlers.on("message.received")
    async def fail(event: MessageReceived, context: Context) -> None:
        raise ValueError(f"cannot handle {event.body} from {event.from_}")

    with capture_logs() as logs:
        await attempt(handlers, threads)
    (line,) = logs
    assert line["event"] == "attempt failed"
    assert line["error"] == "ValueError: cannot handle [redacted] from [redacted]"
    (first, *_) = [one for one in line["traceback"].splitlines() if "File " in one]
    assert "test_attempt.py" in first, "what is above the handler is of no interest"
    assert "my secret" not in str(line)
    assert "14155550123" not in str(line)


async def test_own_retry_policy_wins(handlers: Handlers, threads: Threads) -> None:
    """A handler with a retry policy of its own is judged by that one."""

    @handlers.on("message.received", retry=RetryPolicy(max_attempts=1))
    async def fail(event: MessageReceived, context: Context) -> None:
        raise ValueError

    verdict = await attempt(handlers, threads)
    assert isinstance(verdict, Dead)
    assert verdict.reason is Reason.EXHAUSTED


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


async def test_lines_say_what_became_of_an_event(handlers: Handlers, threads: Threads) -> None:
    """An attempt that ended well is a line of level debug, one that failed a warning with a remedy; each names the trace."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"

    @handlers.on("message.received", "message.status", "call.received")
    async def handle(event: WebhookEvent, context: Context) -> None:
        if event.raw.kind == "message.received":
            raise ValueError("no")
        if event.raw.kind == "call.received":
            raise RetryLater(60)

    handlers.ignore("call.status")
    kinds = ("message.status", "call.status", "call.received", "message.received", "studio")
    with capture_logs() as logs:
        for kind in kinds:
            one = held(Record(failures=1), kind)
            one.event = msgspec.structs.replace(one.event, traceparent=f"00-{trace_id}-00f067aa0ba902b7-01")
            await attempts_of(handlers, threads).make(one)
    facts = [(line["event"], line["log_level"], "next_at" in line, "remedy" in line) for line in logs]
    assert facts == [
        ("event done", "debug", False, False),
        ("event ignored", "debug", False, False),
        ("event postponed", "debug", True, False),
        ("attempt failed", "warning", True, True),
        ("event is dead", "warning", False, True),
    ]
    assert [line["kind"] for line in logs] == list(kinds)
    for line in logs:
        assert (line["event_id"], line["topic"], line["attempt"], line["trace_id"]) == ("e1", "messages", 2, trace_id)


@pytest.mark.parametrize(
    "failure", [None, ValueError("my secret"), RetryLater(1), Reject("no")], ids=["done", "failed", "later", "rejected"]
)
async def test_what_is_said_after_an_attempt_quotes_nothing(
    failure: Exception | None, handlers: Handlers, threads: Threads
) -> None:
    """What a breaker says of a probe that ended, in the same task, is in our own words, though a customer may use them."""
    during: list[object] = []

    @handlers.on("message.received")
    async def handle(event: MessageReceived, context: Context) -> None:
        during.append(CURRENT_EVENT.get())
        if failure is not None:
            raise failure

    await attempt(handlers, threads)
    assert isinstance(during[0], MessageReceived)
    assert CURRENT_EVENT.get() is None


async def test_end_of_a_span_still_knows_its_event(handlers: Handlers, threads: Threads) -> None:
    """What a handler had recorded in the span of its attempt is taken out when that ends, also if the attempt failed."""
    at_the_end: list[object] = []

    class Spans:
        async def around(self, run: Callable[..., Awaitable[Verdict]], *about: object) -> Verdict:
            verdict = await run(*about)
            at_the_end.append(CURRENT_EVENT.get())
            return verdict

        def failed(self, failure: Failure) -> None:
            pass

    @handlers.on("message.received")
    async def fail(event: MessageReceived, context: Context) -> None:
        raise ValueError("my secret")

    made = Attempts(handlers, 5, RetryPolicy(), threads, SystemClock(), get_logger("test"), cast("AttemptSpans", Spans()))
    await made.make(held())
    assert isinstance(at_the_end[0], MessageReceived)
