"""Traces of webhooks, as a collector receives them from both services."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.support.pair import Pair, started_pair
from tests.support.inbound.kinds import ACCOUNT, message, message_status, sid
from tests.support.inbound.webhooks import TOKEN, Twilio
from tests.support.ingress.ingress_client import IngressClient
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.observability.collector import Collector, Span, collecting
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until

TWILIO = Twilio()
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{CALLER}-00f067aa0ba902b7-01"


def settings_of(endpoint: str, **others: str) -> dict[str, str]:
    return {"TRACING": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50", **others}


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


def only(spans: list[Span]) -> Span:
    (span,) = spans
    return span


async def test_webhook_and_its_attempts(
    own_redis: RedisServer, services: Services, tmp_path: Path, collector: Collector
) -> None:
    """The request joins a proxy's trace, each attempt is a trace that links to it, and what the handler does nests in it."""
    settings = settings_of(
        collector.endpoint,
        PROCESSOR_HANDLERS="tests.acceptance.support.handlers.traced_handlers:handlers",
        INGRESS_TRUSTED_PROXIES="127.0.0.0/8",
    )
    async with started_pair(own_redis, services, tmp_path, settings=settings) as pair:
        webhook = TWILIO.webhook(message(Body="planted body")).with_header("traceparent", TRACEPARENT)
        assert (await pair.client.post(webhook)).status == 200
        await until(lambda: settled(collector, "done"), "the message is settled")
        assert (await pair.client.post(TWILIO.webhook(message_status()))).status == 204
        await until(lambda: collector.named("settle statuses") and collector.named("note"), "the status is settled")
        await until(lambda: len(collector.named("POST /twilio")) == 2, "the spans of ingress are there, too")
        await pair.processor.logged("looking up", lambda line: line["attempt"] == 2)
        check_request(collector)
        check_attempts(collector)
        check_logs(pair, collector)
    seen = b"".join(collector.raw).decode(errors="replace")
    for secret in ("planted body", "4155550123", "8005551212", TOKEN, ACCOUNT, "127.0.0.1"):
        assert secret not in seen


def settled(collector: Collector, verdict: str) -> list[Span]:
    return [span for span in collector.named("settle messages") if span.attributes["hookline.verdict"] == verdict]


def check_request(collector: Collector) -> None:
    received, status = collector.named("POST /twilio")
    assert (received.service, received.kind, received.trace_id) == ("hookline-ingress", "SERVER", CALLER)
    assert received.parent_id == TRACEPARENT[36:52]
    assert received.attributes == {
        "url.scheme": "https",
        "server.address": "hooks.example.com",
        "url.path": "/twilio",
        "http.request.method": "POST",
        "http.route": "/twilio",
        "http.response.status_code": 200,
        "hookline.outcome": "accepted",
    }
    assert status.trace_id != CALLER
    send = only(collector.named("send messages"))
    assert (send.kind, send.trace_id, send.parent_id) == ("PRODUCER", CALLER, received.span_id)
    assert received.started <= send.started <= send.ended <= received.ended
    assert {name: send.attributes[name] for name in ("messaging.system", "messaging.operation.type", "hookline.outcome")} == {
        "messaging.system": "redis",
        "messaging.operation.type": "send",
        "hookline.outcome": "accepted",
    }


def check_attempts(collector: Collector) -> None:
    send = only(collector.named("send messages"))
    first, second = attempts = collector.named("process messages")
    assert len({CALLER, first.trace_id, second.trace_id}) == 3
    for number, (attempt, verdict) in enumerate(zip(attempts, ("retry", "done"), strict=True), start=1):
        assert (attempt.service, attempt.kind, attempt.parent_id) == ("hookline-processor", "CONSUMER", "")
        assert attempt.links == ((CALLER, send.span_id),)
        facts = attempt.attributes
        assert (facts["hookline.attempt"], facts["hookline.verdict"]) == (number, verdict)
        assert facts["hookline.handler"] == "tests.acceptance.support.handlers.traced_handlers.look_up"
        assert facts["hookline.kind"] == "message.received"
        assert facts["messaging.consumer.group.name"] == "processor"
        shared = ("messaging.message.id", "messaging.destination.name", "messaging.destination.partition.id")
        assert {name: facts[name] for name in shared} == {name: send.attributes[name] for name in shared}
        inner = next(span for span in collector.named("look up") if span.trace_id == attempt.trace_id)
        assert inner.parent_id == attempt.span_id
        for settle in settled(collector, verdict):  # none of a retry that was over before it could be written down
            assert (settle.kind, settle.trace_id, settle.parent_id) == ("CLIENT", attempt.trace_id, attempt.span_id)
    assert first.status == ("ERROR", "LookupError")
    assert first.attributes["error.type"] == "LookupError"
    assert first.events["exception"]["exception.message"] == "nothing about '[redacted]' of [redacted]"
    assert "in look_up" in first.events["exception"]["exception.stacktrace"]
    assert second.status == ("UNSET", "")
    in_thread = only(collector.named("note"))
    assert in_thread.parent_id == only(collector.named("process statuses")).span_id


def check_logs(pair: Pair, collector: Collector) -> None:
    """A line written during an attempt names the span."""
    inner = {span.span_id: span.trace_id for span in collector.named("look up")}
    lines = [line for line in pair.processor.logs if line["event"] == "looking up"]
    assert {line["span_id"]: line["trace_id"] for line in lines} == inner
    failed = pair.processor.find("attempt failed")
    assert failed is not None
    assert failed["trace_id"] == collector.named("process messages")[0].trace_id


async def test_sampling_is_the_same_for_request_and_attempts(
    own_redis: RedisServer, services: Services, tmp_path: Path, collector: Collector
) -> None:
    """A sampler that goes by the parent, and else keeps none, keeps the attempts at what a proxy records, and no others."""
    settings = settings_of(
        collector.endpoint, OTEL_TRACES_SAMPLER="parentbased_always_off", INGRESS_TRUSTED_PROXIES="127.0.0.0/8"
    )
    async with started_pair(own_redis, services, tmp_path, settings=settings) as pair:
        assert (await pair.client.post(TWILIO.webhook(message()))).status == 200
        await until(pair.settled, "the one that is not recorded is settled")
        webhook = TWILIO.webhook(message(MessageSid=sid("SM"))).with_header("traceparent", TRACEPARENT)
        assert (await pair.client.post(webhook)).status == 200
        names = ("POST /twilio", "send messages", "process messages", "settle messages")
        await until(lambda: all(map(collector.named, names)), "all spans of the recorded one are there")
        assert [len(collector.named(name)) for name in names] == [1, 1, 1, 1]


async def test_collector_that_does_not_answer_holds_up_nothing(redis_url: str, services: Services) -> None:
    """Webhooks are answered, and the service ends by itself, while a collector takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        own = settings_of(endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="600")  # more patient than this test
        ingress = await services.ingress(ingress_settings(redis_url) | own).start()
        async with aiohttp.ClientSession() as session:
            client = IngressClient(session, ingress.port)
            assert (await client.post(TWILIO.webhook(message()))).status == 200
        assert await ingress.stop() == 0
        assert ingress.find("stopped") is not None
