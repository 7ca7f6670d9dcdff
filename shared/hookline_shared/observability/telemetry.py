"""OpenTelemetry, set up: where spans go, which ones do, and how they refer to each other across Redis.

Imported only if tracing is on. All else comes from OpenTelemetry's own variables, which its SDK reads: OTEL_SERVICE_NAME,
OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER and the like.
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
"""How long the end of the service waits for a collector that does not answer."""

_propagator: Final = TraceContextTextMapPropagator()


class Telemetry:
    """The provider of this process' spans, unless it has one already: the user's, or that of opentelemetry-instrument.

    `redact` takes out of a text what must not be in it, whoever wrote it.
    """

    def __init__(self, service: str, redact: Callable[[str], str]) -> None:
        self._provider: TracerProvider | None = None
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            self._provider = _provider(service, redact)
            trace.set_tracer_provider(self._provider)

    def close(self) -> None:
        """Send what is left, for at most as long as `_LAST_SPANS_S`: a thread that still waits ends with the process."""
        if self._provider is not None:
            last = Thread(target=self._provider.shutdown, name="last spans", daemon=True)
            last.start()
            last.join(_LAST_SPANS_S)


def _provider(service: str, redact: Callable[[str], str]) -> TracerProvider:
    ours = Resource.create({"service.name": service, "service.namespace": "hookline", "service.version": own_version()})
    resource = ours.merge(OTELResourceDetector().detect())  # what the user says counts
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    if isinstance(provider.sampler, ParentBased):
        provider.sampler = LinkBased(provider.sampler)
    provider.add_span_processor(RedactingSpanProcessor(BatchSpanProcessor(OTLPSpanExporter()), redact))
    return provider


class RedactingSpanProcessor(SpanProcessor):
    """Hands spans on to `inner` without numbers and secrets, and without what their errors quote of the event being handled.

    Those of the user's libraries, too: most of them record the message of every exception.
    """

    def __init__(self, inner: SpanProcessor, redact: Callable[[str], str]) -> None:
        self._inner = inner
        self._redact = redact

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Hand it on."""
        self._inner.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Hand it on, redacted."""
        self._inner.on_end(self._redacted(span))

    def shutdown(self) -> None:
        """End the inner one."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the inner one."""
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
    """Return the value of an attribute with all text in it clean; there are sequences of text, but none in others."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Sequence):
        return tuple(clean(one) if isinstance(one, str) else one for one in value)
    return value


class LinkBased(Sampler):
    """Decides on a trace that begins with a link as was decided on what it links to; on all else as `otherwise` does.

    So all attempts at a webhook are recorded if its arrival was, though each is a trace of its own.
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
        """Decide on one span."""
        if links and not trace.get_current_span(parent_context).get_span_context().is_valid:
            parent_context = trace.set_span_in_context(trace.NonRecordingSpan(links[0].context), parent_context)
        return self._otherwise.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """Name it."""
        return f"LinkBased{{{self._otherwise.get_description()}}}"


def get_tracer() -> Tracer:
    """Return what makes spans."""
    return trace.get_tracer("hookline", own_version())


def remote_context(traceparent: str) -> Context:
    """Return a context in which the span that `traceparent` names is the current one; an empty context if it names none."""
    return _propagator.extract({"traceparent": traceparent}, Context()) if traceparent else Context()


def links_to(traceparent: str) -> list[Link]:
    """Return a link to the span that `traceparent` names, none if it names none."""
    found = trace.get_current_span(remote_context(traceparent)).get_span_context()
    return [Link(found)] if found.is_valid else []


def traceparent_of(context: SpanContext) -> str:
    """Write `context` as a W3C traceparent."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(trace.NonRecordingSpan(context), Context()))
    return carrier.get("traceparent", "")


def name_current_span(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the current span in a log line: a structlog processor."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
