"""A collector of traces: it takes them as OTLP over HTTP, and decodes them with OpenTelemetry's own protocol."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span as RawSpan

from tests.support.servers.ports import LOOPBACK

_PATH: Final = "/v1/traces"
_PROTOBUF: Final = "application/x-protobuf"


@dataclass(frozen=True)
class Span:
    """One span as it was received: ids in hexadecimal, times in nanoseconds, links as (trace id, span id)."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[tuple[str, str], ...]
    attributes: Mapping[str, Any]
    events: Mapping[str, Mapping[str, Any]]
    status: tuple[str, str]
    started: int
    ended: int


@dataclass
class Collector:
    """What was received. `raw` has the bodies of all requests, for tests of what must not be in them."""

    endpoint: str = ""
    spans: list[Span] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    def named(self, name: str) -> list[Span]:
        """Return the spans of that name, in the order in which they began."""
        return sorted((span for span in self.spans if span.name == name), key=lambda span: span.started)

    async def take(self, request: web.Request) -> web.Response:
        """Store one request."""
        assert request.content_type == _PROTOBUF
        self.raw.append(await request.read())
        self.spans += _decode(ExportTraceServiceRequest.FromString(self.raw[-1]))
        return web.Response(body=ExportTraceServiceResponse().SerializeToString(), content_type=_PROTOBUF)


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Run a collector; its `endpoint` is for OTEL_EXPORTER_OTLP_ENDPOINT."""
    collector = Collector()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post(_PATH, collector.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        collector.endpoint = f"http://{LOOPBACK}:{runner.addresses[-1][1]}"
        yield collector
    finally:
        await runner.cleanup()


def _decode(request: ExportTraceServiceRequest) -> list[Span]:
    return [
        _span(_plain(resource.resource.attributes)["service.name"], span)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _span(service: str, raw: RawSpan) -> Span:
    return Span(
        service=service,
        name=raw.name,
        kind=RawSpan.SpanKind.Name(raw.kind).removeprefix("SPAN_KIND_"),
        trace_id=raw.trace_id.hex(),
        span_id=raw.span_id.hex(),
        parent_id=raw.parent_span_id.hex(),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in raw.links),
        attributes=_plain(raw.attributes),
        events={event.name: _plain(event.attributes) for event in raw.events},
        status=(type(raw.status).StatusCode.Name(raw.status.code).removeprefix("STATUS_CODE_"), raw.status.message),
        started=raw.start_time_unix_nano,
        ended=raw.end_time_unix_nano,
    )


def _plain(attributes: Iterable[Any]) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
