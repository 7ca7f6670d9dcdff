"""The spans of ingress: one for each request, and in it one for each topic that its events are sent to.

Names and attributes are those of OpenTelemetry's semantic conventions for HTTP servers and for messaging, where there are any.
No span has the content of a webhook, its sender or the address of the client.
Sources: https://opentelemetry.io/docs/specs/semconv/http/http-spans/,
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar, copy_context
from http import HTTPStatus
from time import time_ns
from typing import Final
from urllib.parse import urlsplit

import msgspec
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from hookline_ingress.http.proxies import Proxies
from hookline_ingress.http.request import Arrived, Reply, Request, Respond
from hookline_ingress.writer import Done, NotStored, Stored, Write
from hookline_shared.clock import Clock
from hookline_shared.event import Event
from hookline_shared.observability.telemetry import get_tracer, links_to, remote_context, traceparent_of
from hookline_shared.partitions import partition_of

Handle = Callable[[Sequence[Arrived]], None]

_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"})
_OTHER: Final = "_OTHER"

_SENDS: Final[ContextVar[dict[str, "_Send"]]] = ContextVar("sends")
"""The sends of the current request, by topic."""


class RequestSpans:
    """Makes the spans of requests. `public_url` is what Twilio calls.

    A request joins the trace in its traceparent header only if it comes from one of `proxies`. Otherwise its span only links to
    that trace, since a caller that joins a recorded trace would decide what is recorded here.
    """

    def __init__(self, public_url: str, partitions: int, proxies: Proxies, clock: Clock) -> None:
        url = urlsplit(public_url)
        self._url = {"url.scheme": url.scheme, "server.address": url.hostname or ""}
        self._partitions = partitions
        self._proxies = proxies
        self._clock = clock
        self._tracer = get_tracer()

    def trace_requests(self, handle: Handle) -> Handle:
        """Return `handle` with a span around each request, from its first byte to its reply. Each is handled on its own."""

        def handle_traced(request: Request, respond: Respond) -> None:
            span, outside = self._start_span(request), copy_context()

            def finish(reply: Reply) -> None:
                _finish(span, reply)
                outside.run(respond, reply)  # what the connection does next is not of this request

            sends = _SENDS.set({})
            try:
                with trace.use_span(span, record_exception=False):
                    handle([(request, finish)])
            finally:
                _SENDS.reset(sends)

        def handle_each(arrived: Sequence[Arrived]) -> None:
            for request, respond in arrived:
                handle_traced(request, respond)

        return handle_each

    def _start_span(self, request: Request) -> Span:
        method = request.method if request.method in _METHODS else _OTHER
        traceparent = request.headers.get("traceparent", "")
        joined = self._proxies.is_trusted_peer(request)
        span = self._tracer.start_span(
            "HTTP" if method is _OTHER else method,
            remote_context(traceparent if joined else ""),
            SpanKind.SERVER,
            {**self._url, "http.request.method": method},
            start_time=time_ns() - round((self._clock.monotonic() - request.began) * 1e9),
        )
        for link in () if joined else links_to(traceparent):
            span.add_link(link.context)  # not before: the sampler would follow the link
        span.add_event("received", {"http.request.body.size": len(request.body)})
        return span

    def record_outcome(self, method: str, path: str, outcome: str) -> None:
        """Add the route and the outcome of the request to the current span."""
        span = trace.get_current_span()
        span.update_name(f"{method} {path}" if method in _METHODS else f"HTTP {path}")
        span.set_attributes({"http.route": path, "url.path": path, "hookline.outcome": outcome})

    def trace_writes(self, write: Write) -> Write:
        """Return `write` with a span for each topic to which the current request sends; the events carry its traceparent."""

        def write_traced(topic: str, event: Event, done: Done) -> None:
            sends = _SENDS.get()
            if topic not in sends:
                sends[topic] = _Send(self._tracer.start_span(f"send {topic}", kind=SpanKind.PRODUCER), topic)
            send, request = sends[topic], copy_context()
            send.expect(event, partition_of(event.key, self._partitions))

            def finish(stored: Stored | NotStored) -> None:
                try:
                    send.finish(stored)
                finally:
                    request.run(done, stored)  # where the span of the request is the current one

            write(topic, msgspec.structs.replace(event, traceparent=send.traceparent), finish)

        return write_traced


def _finish(span: Span, reply: Reply) -> None:
    """End the span of a request with `reply`."""
    span.set_attribute("http.response.status_code", reply.status)
    if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_attribute("error.type", str(reply.status))
        span.set_status(Status(StatusCode.ERROR))
    span.end()


class _Send:
    """The events that one request sends to one topic; `span` ends when all are stored or have failed."""

    def __init__(self, span: Span, topic: str) -> None:
        self._span = span
        self._count = 0
        self._left = 0
        self.traceparent = traceparent_of(span.get_span_context())
        span.set_attributes(
            {
                "messaging.system": "redis",
                "messaging.operation.name": "send",
                "messaging.operation.type": "send",
                "messaging.destination.name": topic,
            }
        )

    def expect(self, event: Event, partition: int) -> None:
        """Add an event, which goes to `partition`."""
        self._count += 1
        self._left += 1
        if self._count == 1:
            self._span.set_attributes(
                {
                    "messaging.message.id": event.id,
                    "messaging.message.body.size": len(event.body),
                    "messaging.destination.partition.id": str(partition),
                    "hookline.kind": event.kind,
                }
            )

    def finish(self, stored: Stored | NotStored) -> None:
        """Note where one of the events is stored, or that it is not; end the span after the last one."""
        if isinstance(stored, NotStored):
            self._span.set_attribute("error.type", stored.outcome)
            self._span.set_status(Status(StatusCode.ERROR))
        else:
            self._span.set_attribute("hookline.outcome", str(stored))
        self._left -= 1
        if not self._left:
            if self._count > 1:
                self._span.set_attribute("messaging.batch.message_count", self._count)
            self._span.end()
