"""The set-up of OpenTelemetry: export, sampling and redaction of spans, and their links across Redis.

Imported only if tracing is on. All other options are variables of OpenTelemetry's SDK: OTEL_SERVICE_NAME,
OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER and others.
"""

from collections.abc import Callable, Sequence
from threading import Thread
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, Tracer, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes, AttributeValue
from structlog.typing import EventDict, WrappedLogger

from hookline_shared.distribution import own_version
from hookline_shared.observability.logs import CURRENT_EVENT
from hookline_shared.observability.redaction import redact_quotes

_LAST_SPANS_S: Final = 2.0
"""The time limit for the last export when the service ends."""

_propagator: Final = TraceContextTextMapPropagator()


class Telemetry:
    """The tracer provider of this process, unless the user or opentelemetry-instrument has set one.

    `redact` returns a text without secrets and phone numbers.
    """

    def __init__(self, service: str, redact: Callable[[str], str]) -> None:
        self._provider: TracerProvider | None = None
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            self._provider = _provider(service, redact)
            trace.set_tracer_provider(self._provider)

    def close(self) -> None:
        """Export the remaining spans, for at most `_LAST_SPANS_S`. A thread that still waits ends with the process."""
        if self._provider is not None:
            last = Thread(target=self._provider.shutdown, name="last spans", daemon=True)
            last.start()
            last.join(_LAST_SPANS_S)


def _provider(service: str, redact: Callable[[str], str]) -> TracerProvider:
    ours = Resource.create({"service.name": service, "service.namespace": "hookline", "service.version": own_version()})
    resource = ours.merge(OTELResourceDetector().detect())  # the user's attributes win
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    if isinstance(provider.sampler, ParentBased):
        provider.sampler = LinkBased(provider.sampler)
    provider.add_span_processor(RedactingSpanProcessor(BatchSpanProcessor(OTLPSpanExporter()), redact))
    return provider


class RedactingSpanProcessor(SpanProcessor):
    """Passes spans on to `inner` without phone numbers, secrets and quotes of the current event.

    That includes the spans of the user's libraries, most of which record the message of every exception.
    """

    def __init__(self, inner: SpanProcessor, redact: Callable[[str], str]) -> None:
        self._inner = inner
        self._redact = redact

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Pass it on."""
        self._inner.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass it on, redacted."""
        self._inner.on_end(self._redacted(span))

    def shutdown(self) -> None:
        """Shut `inner` down."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush `inner`."""
        return self._inner.force_flush(timeout_millis)

    def _redacted(self, span: ReadableSpan) -> ReadableSpan:
        status = span.status
        if status.description:
            status = Status(status.status_code, self._without_quotes(status.description))
        return ReadableSpan(
            span.name,
            span.context,
            span.parent,
            span.resource,
            self._clean(span.attributes, self._redact),
            [Event(one.name, self._clean(one.attributes, self._without_quotes), one.timestamp) for one in span.events],
            span.links,
            span.kind,
            status=status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    def _without_quotes(self, text: str) -> str:
        handled = CURRENT_EVENT.get()
        return self._redact(text if handled is None else redact_quotes(text, handled.personal))

    def _clean(self, attributes: Attributes, clean: Callable[[str], str]) -> Attributes:
        return {name: _cleaned(value, clean) for name, value in (attributes or {}).items()}


def _cleaned(value: AttributeValue, clean: Callable[[str], str]) -> AttributeValue:
    """Return the value of an attribute with all text in it redacted. Sequences are never nested."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Sequence):
        return tuple(clean(one) if isinstance(one, str) else one for one in value)
    return value


class LinkBased(Sampler):
    """Samples a trace that begins with a link if the linked trace was sampled; otherwise uses `otherwise`.

    So all attempts at a webhook are recorded if its request was, though each is a separate trace.
    """

    def __init__(self, otherwise: ParentBased) -> None:
        self._otherwise = otherwise

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Return the decision for one span."""
        if links and not trace.get_current_span(parent_context).get_span_context().is_valid:
            parent_context = trace.set_span_in_context(trace.NonRecordingSpan(links[0].context), parent_context)
        return self._otherwise.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """Return its name."""
        return f"LinkBased{{{self._otherwise.get_description()}}}"


def get_tracer() -> Tracer:
    """Return Hookline's tracer."""
    return trace.get_tracer("hookline", own_version())


def remote_context(traceparent: str) -> Context:
    """Return a context whose current span is that of `traceparent`; an empty one if it is not valid."""
    return _propagator.extract({"traceparent": traceparent}, Context()) if traceparent else Context()


def links_to(traceparent: str) -> list[Link]:
    """Return a link to the span of `traceparent`, none if it is not valid."""
    found = trace.get_current_span(remote_context(traceparent)).get_span_context()
    return [Link(found)] if found.is_valid else []


def traceparent_of(context: SpanContext) -> str:
    """Return `context` as a W3C traceparent."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(trace.NonRecordingSpan(context), Context()))
    return carrier.get("traceparent", "")


def name_current_span(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the current span to a log line: a structlog processor."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
