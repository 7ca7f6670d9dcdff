"""What ingress accepts over HTTP, how it answers, and what is in Redis then."""

import asyncio

import pytest

from hookline_shared.event import Event
from hookline_shared.parsing.forms import parse_form
from hookline_shared.topics import MESSAGES, STATUSES
from tests.support.inbound.kinds import (
    ACCOUNT,
    RECIPIENT,
    SENDER,
    message,
    message_status,
)
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.ingress_client import raw_exchange, raw_request
from tests.support.ingress.local_ingress import LocalIngress
from tests.support.ingress.replies import assert_accepted
from tests.support.storage.stored import Stored

TWILIO = Twilio()


async def test_event_holds_all_of_the_request(ingress: LocalIngress, stored: Stored) -> None:
    """Everything the signature covers is kept as it came, so the event can be verified again."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    webhook = TWILIO.webhook(message(), "/twilio/message?tenant=7&q=%C3%BC").with_header("traceparent", trace)
    assert_accepted(await ingress.client.post(webhook), 200)
    (event,) = stored.events(MESSAGES)
    assert event == Event(
        id=event.id,
        kind="message.received",
        key=f"{SENDER}:{RECIPIENT}",
        dedupe_key=event.dedupe_key,
        received_at=event.received_at,
        account=ACCOUNT,
        content_type="application/x-www-form-urlencoded; charset=UTF-8",
        target="/twilio/message?tenant=7&q=%C3%BC",
        body=webhook.body,
        signature=webhook.headers["X-Twilio-Signature"],
        signer="token1",
        traceparent=trace,
        method="POST",
    )
    assert int(event.id[:12], 16) <= event.received_at
    assert event.signature == TWILIO.signature(event.target, tuple(parse_form(event.body).pairs))


@pytest.mark.parametrize(
    "target", ["/twilio", "/twilio?", "/twilio?a", "/twilio?a=%7E%c3%BC+1", "/twilio?x=1&x=1", "/twilio?/../"]
)
async def test_target_is_never_decoded(ingress: LocalIngress, stored: Stored, target: str) -> None:
    """The URL is verified and kept exactly as it was called, down to a bare question mark."""
    answer = await raw_exchange(ingress.port, raw_request(TWILIO.webhook(message(), target), ingress.port))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert [event.target for event in stored.events()] == [target]


async def test_whole_url_as_target(ingress: LocalIngress, stored: Stored) -> None:
    """A webhook whose request line has the whole URL, with any host, is the same one: its path and query are kept."""
    request = raw_request(TWILIO.webhook(message(), "/twilio?a=b"), ingress.port)
    for base in (b"http://elsewhere:81", b"HTTPS://[::1]", b""):
        answer = await raw_exchange(ingress.port, request.replace(b"/twilio?", base + b"/twilio?", 1))
        assert answer.startswith(b"HTTP/1.1 200 ")
    assert [event.target for event in stored.events()] == ["/twilio?a=b"]


async def test_repeated_and_empty_parameters(ingress: LocalIngress, stored: Stored) -> None:
    """Parameters that come twice, empty ones, and names and values in any script are verified as Twilio signs them."""
    params = (*message(), ("Option", "b"), ("Option", "a"), ("Option", "b"), ("Empty", ""), ("Имя", "значение 🙂&=+%"))
    assert_accepted(await ingress.client.post(TWILIO.webhook(params)), 200)
    assert len(stored.events()) == 1


async def test_events_that_differ_in_a_repeated_parameter_only(ingress: LocalIngress, stored: Stored) -> None:
    """Two unknown webhooks of which every value counts are two events, whichever value of a repeated name differs."""
    for first in ("1", "2"):
        params = (("AccountSid", ACCOUNT), ("Option", first), ("Option", "3"))
        assert_accepted(await ingress.client.post(TWILIO.webhook(params)), 204)
    assert len(stored.events()) == 2


async def test_two_messages_are_two_events(ingress: LocalIngress, stored: Stored) -> None:
    """Messages of one conversation share a partition, and lie there in the order of their arrival."""
    bodies = [f"number {number}" for number in range(20)]
    for body in bodies:
        assert_accepted(await ingress.client.post(TWILIO.webhook(message(Body=body))), 200)
    assert [parse_form(event.body).params["Body"] for event in stored.events()] == bodies


async def test_many_at_once(ingress: LocalIngress, stored: Stored) -> None:
    """Concurrent webhooks, each delivered twice at the same time, become one event each."""
    deliveries = [TWILIO.webhook(message(From=f"+1415555{number:04}")) for number in range(200)] * 2
    replies = await asyncio.gather(*map(ingress.client.post, deliveries))
    assert {reply.status for reply in replies} == {200}
    assert len(stored.events()) == 200


async def test_statuses_of_one_message(ingress: LocalIngress, stored: Stored) -> None:
    """Every status of a message is an event of its own, and all lie in the order of their arrival."""
    statuses = ["sent", "queued", "delivered"]
    for status in statuses:
        assert_accepted(await ingress.client.post(TWILIO.webhook(message_status(status, MessageSid="SM1"))), 204)
    assert [parse_form(event.body).params["MessageStatus"] for event in stored.events(STATUSES)] == statuses


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded ; charset=utf-8"]
)
async def test_content_type_of_a_form(ingress: LocalIngress, content_type: str) -> None:
    """Parameters and case of the content type do not matter."""
    reply = await ingress.client.post(TWILIO.webhook(message()).with_header("Content-Type", content_type))
    assert_accepted(reply, 200)


@pytest.mark.parametrize("name", ["traceparent", "Content-Type", "X-Twilio-Signature", "User-Agent"])
async def test_header_that_is_not_utf8(ingress: LocalIngress, stored: Stored, name: str) -> None:
    """Odd bytes in a header, which the signature does not cover, harm neither this request's neighbours nor the service."""
    webhook = TWILIO.webhook(message())
    odd = webhook.with_header(name, webhook.headers.get(name, "") + ";\udcff")
    async with asyncio.timeout(5):  # a service that died of it answers nobody
        answer, neighbour = await asyncio.gather(
            raw_exchange(ingress.port, raw_request(odd, ingress.port)),
            ingress.client.post(TWILIO.webhook(message(Body="neighbour"))),
        )
        assert_accepted(neighbour, 200)
        assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 ", b"HTTP/1.1 403 "))
        assert_accepted(await ingress.client.post(TWILIO.webhook(message(Body="later"))), 200)
    assert ingress.supervisor.failure is None
    assert len(stored.events()) == 2 + answer.startswith(b"HTTP/1.1 200 ")


async def test_metrics_count_outcomes(ingress: LocalIngress) -> None:
    """Every outcome is counted by route, code and reason, with nothing of what the webhook holds."""
    await ingress.client.post(TWILIO.webhook(message(), "/twilio/message"))
    await ingress.client.post(TWILIO.webhook(message()).without_header("X-Twilio-Signature"))
    await ingress.client.request("POST", f"/{SENDER}", {}, b"")
    text = (await ingress.admin.request("GET", "/metrics", {})).body.decode()
    for labels in (
        'code="200",outcome="accepted",route="/twilio/message"',
        'code="403",outcome="no_signature",route="/twilio"',
        'code="404",outcome="unknown_path",route="none"',
    ):
        assert f"hookline_ingress_requests_total{{{labels}}}" in text
    assert SENDER not in text
    assert ACCOUNT not in text
