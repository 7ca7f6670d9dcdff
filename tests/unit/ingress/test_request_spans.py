"""Whose trace a request joins, and who decides what is recorded."""

from collections.abc import Iterator, Sequence

import pytest
from multidict import CIMultiDict
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from opentelemetry.trace import format_trace_id

from hookline_ingress.http.proxies import Proxies, parse_networks
from hookline_ingress.http.request import Arrived, Reply, Request
from hookline_ingress.tracing import RequestSpans
from hookline_shared.observability.telemetry import LinkBased
from tests.support.time.manual_clock import ManualClock

PROXY, STRANGER = "10.0.0.7", "203.0.113.9"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED, UNSAMPLED = (f"00-{TRACE_ID}-00f067aa0ba902b7-{flags}" for flags in ("01", "00"))


@pytest.fixture(params=[ALWAYS_ON, ALWAYS_OFF], ids=["all", "none"])
def sampler(request: pytest.FixtureRequest) -> Sampler:
    """Return what decides on traces that begin here."""
    return LinkBased(ParentBased(request.param))


@pytest.fixture
def kept(sampler: Sampler, monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Yield what is recorded by the spans that are made meanwhile."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr("hookline_ingress.tracing.get_tracer", lambda: provider.get_tracer("test"))
    yield kept
    provider.shutdown()


def answer(peer: str, traceparent: str) -> None:
    """Answer a request with spans around."""

    def refuse(arrived: Sequence[Arrived]) -> None:
        for _, respond in arrived:
            respond(Reply(403))

    spans = RequestSpans("https://hooks.example.com", 8, Proxies(parse_networks(["10.0.0.0/8"])), ManualClock())
    request = Request("POST", "/twilio", CIMultiDict(traceparent=traceparent), b"", peer, 0.0)
    spans.trace_requests(refuse)([(request, lambda _reply: None)])


def test_trace_of_a_proxy_is_joined(kept: InMemorySpanExporter) -> None:
    """It decides on what is recorded, too."""
    answer(PROXY, SAMPLED)
    answer(PROXY, UNSAMPLED)
    (span,) = kept.get_finished_spans()
    assert format_trace_id(span.context.trace_id) == TRACE_ID
    assert not span.links


@pytest.mark.parametrize("sampler", [LinkBased(ParentBased(ALWAYS_OFF))])
def test_nobody_else_has_anything_recorded(kept: InMemorySpanExporter) -> None:
    """Whoever sends a header would else have every request of his recorded, refused ones as well."""
    answer(STRANGER, SAMPLED)
    assert kept.get_finished_spans() == ()


@pytest.mark.parametrize("sampler", [LinkBased(ParentBased(ALWAYS_ON))])
@pytest.mark.parametrize("traceparent", [SAMPLED, UNSAMPLED])
def test_trace_of_anybody_else_is_linked_to(traceparent: str, kept: InMemorySpanExporter) -> None:
    """Nor can anybody keep a request from being recorded."""
    answer(STRANGER, traceparent)
    (span,) = kept.get_finished_spans()
    assert (span.parent, [format_trace_id(link.context.trace_id) for link in span.links]) == (None, [TRACE_ID])
