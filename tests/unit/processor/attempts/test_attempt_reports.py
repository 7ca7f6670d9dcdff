"""What is said of an attempt, while it runs and afterwards."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

import msgspec
import pytest
from structlog.testing import capture_logs

from hookline import Context, Handlers, MessageReceived, Reject, RetryLater, RetryPolicy, WebhookEvent
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.retry_record import Record
from hookline_processor.verdicts import Failure, Verdict
from hookline_shared.clock import SystemClock
from hookline_shared.observability.logs import CURRENT_EVENT, get_logger

if TYPE_CHECKING:
    from hookline_processor.attempts.tracing import AttemptSpans
from tests.support.processor.attempts import attempt, attempts_of, held


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
    assert "test_attempt_reports.py" in first, "what is above the handler is of no interest"
    assert "my secret" not in str(line)
    assert "14155550123" not in str(line)


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
