"""The spans of the processor: one for each attempt, and one for the settlement of its outcome.

Each attempt is a separate trace with a link to the span that sent the event. Otherwise an event that is retried for days, or
replayed after weeks, would be one trace without an end.

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
from hookline_shared.observability.telemetry import get_tracer, links_to
from hookline_shared.partitions import partition_of
from hookline_shared.redis_keys import GROUP

Run = Callable[[Handler, InFlightEvent], Awaitable[Verdict]]


class AttemptSpans:
    """Creates the spans of attempts."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._tracer = get_tracer()

    async def around(self, run: Run, handler: Handler, in_flight: InFlightEvent) -> Verdict:
        """Run the attempt `run` in a span, which is the current span for the handler and the code that it calls."""
        attributes = self._describe(in_flight)
        links = links_to(in_flight.event.traceparent)
        with self._tracer.start_as_current_span(
            f"process {in_flight.topic}",
            Context(),
            SpanKind.CONSUMER,
            {**attributes, **_operation("process"), "hookline.handler": handler.name},
            links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            span.set_attribute("hookline.verdict", "withdrawn")  # until the attempt ends
            verdict = await run(handler, in_flight)
            span.set_attributes(_outcome(verdict))
        if span.get_span_context().trace_flags.sampled:
            in_flight.settling = SettlingSpan(
                self._tracer, span.get_span_context(), in_flight.topic, attributes, links, in_flight.settling
            )
        return verdict

    def failed(self, failure: Failure) -> None:
        """Record in the current span that the attempt failed. `failure` is redacted."""
        span = trace.get_current_span()
        span.set_attribute("error.type", failure.type)
        span.set_status(Status(StatusCode.ERROR, failure.type))
        details = {"type": failure.type, "message": failure.message, "stacktrace": failure.traceback}
        span.add_event("exception", {f"exception.{name}": detail for name, detail in details.items()})

    def _describe(self, in_flight: InFlightEvent) -> dict[str, Any]:
        event = in_flight.event
        return {
            "messaging.system": "redis",
            "messaging.destination.name": in_flight.topic,
            "messaging.destination.partition.id": str(partition_of(event.key, self._partitions)),
            "messaging.consumer.group.name": GROUP,
            "messaging.message.id": event.id,
            "messaging.message.body.size": len(event.body),
            "hookline.kind": event.kind,
            "hookline.attempt": in_flight.record.failures + 1,
        }


class SettlingSpan:
    """The span from a verdict until Redis confirms it. It begins at construction.

    `previous` is the span of the attempt before, if it has not ended yet.
    """

    __slots__ = ("_attempt", "_attributes", "_began_ns", "_links", "_previous", "_topic", "_tracer")

    def __init__(
        self,
        tracer: Tracer,
        attempt: SpanContext,
        topic: str,
        attributes: dict[str, Any],
        links: list[Link],
        previous: Settling | None,
    ) -> None:
        self._tracer = tracer
        self._attempt = attempt
        self._topic = topic
        self._attributes = attributes
        self._links = links
        self._previous = previous
        self._began_ns = time_ns()

    def confirmed(self, outcome: str, *, newest: bool) -> Settling | None:
        """End the span, a child of the attempt, with the written `outcome`. Return the span that still waits, if any.

        If `outcome` is not the `newest`, it belongs to the previous attempt.
        """
        if newest:
            self._end(outcome)
            return None
        if self._previous is not None:
            self._previous.confirmed(outcome, newest=True)
            self._previous = None
        return self

    def _end(self, outcome: str) -> None:
        inside = trace.set_span_in_context(trace.NonRecordingSpan(self._attempt), Context())
        attributes = {**self._attributes, **_operation("settle"), "hookline.verdict": outcome}
        name = f"settle {self._topic}"
        self._tracer.start_span(name, inside, SpanKind.CLIENT, attributes, self._links, self._began_ns).end()


def _operation(name: str) -> dict[str, Any]:
    return {"messaging.operation.name": name, "messaging.operation.type": name}


def _outcome(verdict: Verdict) -> dict[str, Any]:
    facts: dict[str, Any] = {"hookline.verdict": type(verdict).__name__.lower()}
    if isinstance(verdict, Retry):
        facts["hookline.next_at"] = verdict.record.next_at
    if isinstance(verdict, Dead):
        facts["hookline.reason"] = verdict.reason.value
    return facts
