"""What ingress refuses over HTTP: without a word, and without a trace in Redis."""

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from hookline_ingress.refusals import Refusal
from tests.support.inbound.kinds import ACCOUNT, message, message_status
from tests.support.inbound.products import verify
from tests.support.inbound.webhooks import Params, Twilio, Webhook
from tests.support.ingress.ingress_client import raw_exchange, raw_request
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.ingress.replies import assert_accepted, assert_refused
from tests.support.servers.ports import LOOPBACK
from tests.support.storage.stored import Stored

TWILIO = Twilio()
OTHER_TOKEN = "f" * 32
MAX_BODY = 1 << 18


async def test_no_signature(ingress: LocalIngress, stored: Stored) -> None:
    """What is not signed is not accepted."""
    reply = await ingress.client.post(TWILIO.webhook(message()).without_header("X-Twilio-Signature"))
    assert_refused(reply, 403, stored)


@pytest.mark.parametrize("signature", ["", "x", "=" * 28, "A" * 28, "ü", "A" * 4000, "YQ==, YQ=="])
async def test_malformed_signature(ingress: LocalIngress, stored: Stored, signature: str) -> None:
    """Whatever stands in the signature's place, if it is not the signature it is refused."""
    reply = await ingress.client.post(TWILIO.webhook(message()).with_header("X-Twilio-Signature", signature))
    assert_refused(reply, 403, stored)


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(Twilio(token=OTHER_TOKEN).webhook(message()), id="another token"),
        pytest.param(Twilio(public_url="https://evil.example.com").webhook(message()), id="another host"),
        pytest.param(Twilio(public_url="http://hooks.example.com").webhook(message()), id="another scheme"),
        pytest.param(TWILIO.webhook(message()).with_body(TWILIO.webhook(message()).body), id="another body"),
        pytest.param(TWILIO.webhook(message()).with_body(b""), id="no body"),
        pytest.param(TWILIO.webhook(message()).with_body(TWILIO.webhook(message()).body + b"&x="), id="one parameter more"),
    ],
)
async def test_wrong_signature(ingress: LocalIngress, stored: Stored, forged: Webhook) -> None:
    """A signature of something else is refused."""
    assert_refused(await ingress.client.post(forged), 403, stored)


@pytest.mark.parametrize(("webhook", "kind"), [(message(), "message.received"), (verify(), "verify.factor.created")])
async def test_bound_token(redis_url: str, stored: Stored, webhook: Params, kind: str) -> None:
    """A token that is bound to another account is refused, however a webhook spells its account's name."""
    bound = Twilio(OTHER_TOKEN)
    tokens = f"AC{'2' * 32}={bound.token},{ACCOUNT}={TWILIO.token}"
    async with running_ingress(ingress_settings(redis_url) | {"TWILIO_AUTH_TOKEN": tokens}) as ingress:
        assert_refused(await ingress.client.post(bound.webhook(webhook)), 403, stored)
        assert (await ingress.client.post(TWILIO.webhook(webhook))).status < 300
    assert [(event.kind, event.account, event.signer) for event in stored.events()] == [(kind, ACCOUNT, "token2")]


async def test_signature_for_another_target(ingress: LocalIngress, stored: Stored) -> None:
    """A signature for one path or query is none for another."""
    webhook = TWILIO.webhook(message(), "/twilio/message?tenant=1")
    for target in ("/twilio/message?tenant=2", "/twilio/message", "/twilio?tenant=1"):
        reply = await ingress.client.request("POST", target, webhook.headers, webhook.body)
        assert_refused(reply, 403, stored)


@pytest.mark.parametrize("body", [b"Body=\xff", b"Body=%ff", b"%c3=x", b"&" * 2000])
async def test_unparsable_body(ingress: LocalIngress, stored: Stored, body: bytes) -> None:
    """A body that is no form is a bad request, whatever its signature."""
    assert_refused(await ingress.client.post(TWILIO.webhook(message()).with_body(body)), 400, stored)


def padded(size: int) -> Webhook:
    """Return a message whose body is `size` bytes long."""
    params = message(Body="")
    missing = size - len(TWILIO.webhook(params).body)
    return TWILIO.webhook(tuple((name, "x" * missing if name == "Body" else value) for name, value in params))


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """Send `body` chunked, so that its length is not known before."""
    for at in range(0, len(body), 10_000):
        yield body[at : at + 10_000]


async def test_largest_body_is_accepted(ingress: LocalIngress, stored: Stored) -> None:
    """A body of exactly the limit is fine, with and without a Content-Length."""
    with_length, without = padded(MAX_BODY), padded(MAX_BODY)
    assert len(with_length.body) == MAX_BODY
    assert_accepted(await ingress.client.post(with_length), 200)
    assert_accepted(await ingress.client.request("POST", "/twilio", without.headers, in_pieces(without.body)), 200)
    assert len(stored.events()) == 2


async def test_too_large_a_body(ingress: LocalIngress, stored: Stored) -> None:
    """One byte more than the limit is refused."""
    assert_refused(await ingress.client.post(padded(MAX_BODY + 1)), 413, stored)


async def test_too_large_a_body_without_content_length(ingress: LocalIngress, stored: Stored) -> None:
    """A body that does not say how long it is, is refused once it has grown too long."""
    webhook = padded(MAX_BODY + 1)
    assert_refused(await ingress.client.request("POST", "/twilio", webhook.headers, in_pieces(webhook.body)), 413, stored)


async def test_huge_body_is_refused_by_its_head(ingress: LocalIngress, stored: Stored) -> None:
    """Nobody has to send a gigabyte to learn that it is too much."""
    webhook = TWILIO.webhook(message()).with_body(b"")
    head = raw_request(webhook, ingress.port).replace(b"Content-Length: 0", b"Content-Length: 1073741824")
    assert (await raw_exchange(ingress.port, head)).startswith(b"HTTP/1.1 413 ")
    assert stored.empty()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
async def test_wrong_method(ingress: LocalIngress, stored: Stored, method: str) -> None:
    """Only POST and GET are taken, and the answer says so."""
    webhook = TWILIO.webhook(message())
    reply = await ingress.client.request(method, "/twilio", webhook.headers, webhook.body)
    assert_refused(reply, 405, stored)
    assert reply.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize("target", ["/", "/twilio/", "/Twilio", "/twilio/unknown", "/twilio%2Fmessage", "//twilio", "/metrics"])
async def test_unknown_path(ingress: LocalIngress, stored: Stored, target: str) -> None:
    """There is nothing but the routes, not even for a request that is signed correctly."""
    answer = await raw_exchange(ingress.port, raw_request(TWILIO.webhook(message(), target), ingress.port))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"text/plain" not in answer
    assert stored.empty()


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "multipart/mixed; boundary=x", "application/x-www-form-urlencoded2", ""],
)
async def test_wrong_content_type(ingress: LocalIngress, stored: Stored, content_type: str) -> None:
    """A body that does not claim to be a form is not read as one, and needs its hash in the URL."""
    reply = await ingress.client.post(TWILIO.webhook(message()).with_header("Content-Type", content_type))
    assert_refused(reply, 403, stored)


async def test_only_sendgrid_sends_multipart(ingress: LocalIngress, stored: Stored) -> None:
    """Its content type, and so the boundary between its parts, is not signed."""
    reply = await ingress.client.post(TWILIO.json(b"--x--").with_header("Content-Type", "multipart/form-data; boundary=x"))
    assert_refused(reply, 400, stored)


async def test_compressed_body_is_not_unpacked(ingress: LocalIngress, stored: Stored) -> None:
    """A compressed body could grow past every limit, so it is refused."""
    webhook = TWILIO.webhook(message()).with_header("Content-Encoding", "gzip").with_body(b"\x1f\x8b\x08\x00\xff\xff")
    assert_refused(await ingress.client.post(webhook), 415, stored)


async def test_connection_is_kept_after_a_refusal(ingress: LocalIngress) -> None:
    """A refused request does not cost its neighbours on the same connection."""
    reader, writer = await asyncio.open_connection(LOOPBACK, ingress.port)
    refused = TWILIO.webhook(message()).without_header("X-Twilio-Signature")
    for webhook, status in ((refused, b"403"), (TWILIO.webhook(message_status()), b"204")):
        writer.write(raw_request(webhook, ingress.port))
        assert (await reader.readuntil(b"\r\n\r\n")).split()[1] == status
    writer.close()
    await writer.wait_closed()


async def test_truncated_request_is_not_accepted(ingress: LocalIngress, stored: Stored) -> None:
    """A connection that breaks in the middle of a body leaves nothing, and the next one is served."""
    webhook = TWILIO.webhook(message())
    _, writer = await asyncio.open_connection(LOOPBACK, ingress.port)
    writer.write(raw_request(webhook, ingress.port)[:-10])
    writer.close()
    await writer.wait_closed()
    other = TWILIO.webhook(message(Body="other"))
    assert_accepted(await ingress.client.post(other), 200)
    assert [event.body for event in stored.events()] == [other.body]


@pytest.mark.parametrize("signature", ["", "A" * 28], ids=["unsigned", "forged"])
async def test_refused_request_is_forgotten_at_once(ingress: LocalIngress, signature: str) -> None:
    """A refused body does not wait for a garbage collection, of which there are few: a flood of them would fill the memory."""
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        reply = await ingress.client.post(TWILIO.webhook(message()).with_header("X-Twilio-Signature", signature))
        gc.collect()
        assert reply.status == 403
        assert [found for found in gc.garbage if isinstance(found, Refusal)] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
