"""The spans of the processor: one for each attempt, and one for the time that settling its outcome takes.

Each attempt is a trace of its own, which links to the span that sent the event. An event that is retried for days, or replayed
after weeks, would else make one trace that never ends.

Names and attributes are those of OpenTelemetry's semantic conventions for messaging, where there are any.
Source: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/.
"""

from collections.abc import Awaitable, Callable
from time import time_ns
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, Tracer

from hookline_processor.api.table import Handler
from hookline_processor.in_flight import InFlightEvent, Settling
from hookline_processor.verdicts import Dead, Failure, Retry, Verdict
from hookline_shared.keys import GROUP
from hookline_shared.observability.telemetry import get_tracer, links_to
from hookline_shared.partitions import partition_of

Run = Callable[[Handler, InFlightEvent], Awaitable[Verdict]]


class AttemptSpans:
    """Makes the spans of attempts."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._tracer = get_tracer()

    async def around(self, run: Run, handler: Handler, held: InFlightEvent) -> Verdict:
        """Run `run`, an attempt, with a span around it, which is the current one for the handler and what it calls."""
        about = self._describe(held)
        links = links_to(held.event.traceparent)
        with self._tracer.start_as_current_span(
            f"process {held.topic}",
            Context(),
            SpanKind.CONSUMER,
            {**about, **_operation("process"), "hookline.handler": handler.name},
            links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            span.set_attribute("hookline.verdict", "withdrawn")  # unless it comes to one
            verdict = await run(handler, held)
            span.set_attributes(_outcome(verdict))
        if span.get_span_context().trace_flags.sampled:
            held.settling = SettlingSpan(self._tracer, span.get_span_context(), held.topic, about, links, held.settling)
        return verdict

    def failed(self, failure: Failure) -> None:
        """Note in the current span that the attempt failed; `failure` is without what is personal."""
        span = trace.get_current_span()
        span.set_attribute("error.type", failure.type)
        span.set_status(Status(StatusCode.ERROR, failure.type))
        details = {"type": failure.type, "message": failure.message, "stacktrace": failure.traceback}
        span.add_event("exception", {f"exception.{name}": detail for name, detail in details.items()})

    def _describe(self, held: InFlightEvent) -> dict[str, Any]:
        event = held.event
        return {
            "messaging.system": "redis",
            "messaging.destination.name": held.topic,
            "messaging.destination.partition.id": str(partition_of(event.key, self._partitions)),
            "messaging.consumer.group.name": GROUP,
            "messaging.message.id": event.id,
            "messaging.message.body.size": len(event.body),
            "hookline.kind": event.kind,
            "hookline.attempt": held.record.failures + 1,
        }


class SettlingSpan:
    """The time from a verdict until Redis has it: it began when this was made.

    `before` is that of the attempt before, if that one had not ended yet.
    """

    __slots__ = ("_about", "_attempt", "_before", "_links", "_since", "_topic", "_tracer")

    def __init__(
        self,
        tracer: Tracer,
        attempt: SpanContext,
        topic: str,
        about: dict[str, Any],
        links: list[Link],
        before: Settling | None,
    ) -> None:
        self._tracer = tracer
        self._attempt = attempt
        self._topic = topic
        self._about = about
        self._links = links
        self._before = before
        self._since = time_ns()

    def confirmed(self, outcome: str, *, newest: bool) -> Settling | None:
        """Make the span, as a child of the attempt's: Redis has written `outcome`. Return what has still to be confirmed.

        Not the `newest` outcome is that of the attempt before.
        """
        if newest:
            self._end(outcome)
            return None
        if self._before is not None:
            self._before.confirmed(outcome, newest=True)
            self._before = None
        return self

    def _end(self, outcome: str) -> None:
        inside = trace.set_span_in_context(trace.NonRecordingSpan(self._attempt), Context())
        attributes = {**self._about, **_operation("settle"), "hookline.verdict": outcome}
        name = f"settle {self._topic}"
        self._tracer.start_span(name, inside, SpanKind.CLIENT, attributes, self._links, self._since).end()


def _operation(name: str) -> dict[str, Any]:
    return {"messaging.operation.name": name, "messaging.operation.type": name}


def _outcome(verdict: Verdict) -> dict[str, Any]:
    facts: dict[str, Any] = {"hookline.verdict": type(verdict).__name__.lower()}
    if isinstance(verdict, Retry):
        facts["hookline.next_at"] = verdict.record.next_at
    if isinstance(verdict, Dead):
        facts["hookline.reason"] = verdict.reason.value
    return facts
