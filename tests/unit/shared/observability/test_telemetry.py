"""How spans refer to each other, which are kept, and what is taken out of them."""

import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from hookline_shared.observability.logs import CURRENT_EVENT, Redactor, trace_fields
from hookline_shared.observability.telemetry import LinkBased, RedactingSpanProcessor, links_to, remote_context, traceparent_of

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED, UNSAMPLED = (f"00-{TRACE_ID}-00f067aa0ba902b7-{flags}" for flags in ("01", "00"))
WRONG = (
    "",
    "nonsense",
    f"00-{'0' * 32}-00f067aa0ba902b7-01",
    f"00-{TRACE_ID}-{'0' * 16}-01",
    f"ff-{TRACE_ID}-00f067aa0ba902b7-01",
    f"00-{TRACE_ID.upper()}-00f067aa0ba902b7-01",
    SAMPLED + "\n+14155550123",
)


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(kept: InMemorySpanExporter) -> Iterator[TracerProvider]:
    made = TracerProvider(sampler=LinkBased(ParentBased(ALWAYS_OFF)), shutdown_on_exit=False)
    made.add_span_processor(RedactingSpanProcessor(SimpleSpanProcessor(kept), Redactor(["s3cr3t"]).text))
    yield made
    made.shutdown()


def names(kept: InMemorySpanExporter) -> list[str]:
    return [span.name for span in kept.get_finished_spans()]


def test_traceparent_survives() -> None:
    """What is read from an entry is what was written there."""
    context = trace.get_current_span(remote_context(SAMPLED)).get_span_context()
    assert traceparent_of(context) == SAMPLED
    assert [link.context for link in links_to(SAMPLED)] == [context]
    assert trace_fields(SAMPLED) == {"trace_id": TRACE_ID}


@pytest.mark.parametrize("traceparent", WRONG)
def test_nonsense_names_no_trace(traceparent: str) -> None:
    """Anybody may send a header; one that is wrong leads nowhere, and never into a log line."""
    assert links_to(traceparent) == []
    assert trace_fields(traceparent) == {}


def test_links_decide(provider: TracerProvider, kept: InMemorySpanExporter) -> None:
    """A trace that begins with a link is kept if that leads to one that is, and what is in it goes along."""
    tracer = provider.get_tracer("test")
    for traceparent in (SAMPLED, UNSAMPLED, ""):
        with tracer.start_as_current_span(f"root {traceparent[-2:]}", Context(), links=links_to(traceparent)):
            tracer.start_span(f"inner {traceparent[-2:]}").end()
    assert names(kept) == ["inner 01", "root 01"]
    assert kept.get_finished_spans()[1].parent is None


def test_a_parent_decides_before_links_do(provider: TracerProvider, kept: InMemorySpanExporter) -> None:
    """A span inside of a trace belongs to it, wherever its links lead."""
    tracer = provider.get_tracer("test")
    tracer.start_span("inside", remote_context(UNSAMPLED), links=links_to(SAMPLED)).end()
    tracer.start_span("inside", remote_context(SAMPLED), links=links_to(UNSAMPLED)).end()
    assert names(kept) == ["inside"]


def fail_inside_of_a_span(tracer: trace.Tracer) -> None:
    with tracer.start_as_current_span("call", Context(), links=links_to(SAMPLED)) as span:
        span.set_attributes({"url.full": "https://x/?To=%2B14155550123&key=s3cr3t", "count": 3, "names": ["a", "+14155550123"]})
        raise ValueError("my body, by Zoë, s3cr3t")


def test_spans_are_redacted(provider: TracerProvider, kept: InMemorySpanExporter) -> None:
    """Attributes lose numbers and secrets, errors whatever they quote of the event; the rest stays as it was."""
    token = CURRENT_EVENT.set(SimpleNamespace(personal=["my body", "Zoë"]))
    with pytest.raises(ValueError, match="my body"):
        fail_inside_of_a_span(provider.get_tracer("test"))
    CURRENT_EVENT.reset(token)
    (found,) = kept.get_finished_spans()
    assert isinstance(found, ReadableSpan)
    assert found.attributes == {"url.full": "https://x/?To=%2B***23&key=[redacted]", "count": 3, "names": ("a", "+***23")}
    assert found.status.description == "ValueError: [redacted], by [redacted], [redacted]"
    (event,) = found.events
    assert event.attributes is not None
    assert event.attributes["exception.message"] == "[redacted], by [redacted], [redacted]"
    for secret in ("my body, by", "s3cr3t", "4155550123"):
        assert secret not in found.to_json()
    assert (found.name, found.links[0].context.trace_id) == ("call", int(TRACE_ID, 16))


def test_off_loads_nothing() -> None:
    """Without tracing, what makes and sends spans is not even imported. redis-py loads what metrics need, where that is."""
    loads = "import sys, hookline_ingress.__main__, hookline_processor.__main__, hookline_processor.app, hookline_ingress.app; "
    makers = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "hookline_shared.observability.telemetry")
    check = f"print([name for name in sys.modules if name.startswith({makers})])"
    found = subprocess.run([sys.executable, "-c", loads + check], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
