"""JSON arrays: those of Event Streams, signed like all of Twilio's JSON, and those of SendGrid, signed with its own key."""

import asyncio
from dataclasses import replace
from itertools import count
from json import dumps, loads
from time import time
from urllib.parse import urlencode

import pytest
import redis
from multidict import CIMultiDict

from hookline_ingress.http.request import Request
from hookline_ingress.signatures.sendgrid import SendGridKeys
from hookline_ingress.translation.webhook import decode_sendgrid
from hookline_shared.partitions import partition_of
from hookline_shared.topics import EVENTS
from tests.support.inbound.kinds import ACCOUNT, message
from tests.support.inbound.products import email_event, stream_event
from tests.support.inbound.sendgrid import SIGNATURE, TIMESTAMP, SendGrid
from tests.support.inbound.webhooks import FORM, JSON, Twilio, Webhook
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.ingress.replies import assert_accepted, assert_refused
from tests.support.servers.ports import LOOPBACK
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored

TWILIO = Twilio()


@pytest.mark.parametrize("path", ["/twilio/events", "/twilio"])
async def test_event_streams(ingress: LocalIngress, stored: Stored, path: str) -> None:
    """Each element of an Event Streams delivery is one event, in order and byte by byte; those that came before are none."""
    elements = [dumps(stream_event(source="/calls", data={"number": number})).encode() for number in range(30)]
    for delivery in (elements[:20], elements[:20], elements[10:]):
        assert_accepted(await ingress.client.post(TWILIO.json(b"[" + b" ,\n".join(delivery) + b"]", path)), 204)
    events = stored.events(EVENTS)
    assert [event.body for event in events] == elements
    assert {(event.kind, event.key, event.signer, event.content_type) for event in events} == {
        ("event.stream", ":event.stream:/calls", "token1", "application/json")
    }
    assert [event.dedupe_key for event in events] == [f":event.stream:{loads(element)['id']}" for element in elements]
    assert len({event.id for event in events}) == 30
    assert stored.events() == events


@pytest.mark.parametrize(
    ("body", "count"), [(b"[]", 0), (dumps(stream_event()).encode(), 1)], ids=["no event", "one that is in no array"]
)
async def test_event_streams_of_odd_shape(ingress: LocalIngress, stored: Stored, body: bytes, count: int) -> None:
    """An empty delivery is accepted, and so is a CloudEvent by itself."""
    assert_accepted(await ingress.client.post(TWILIO.json(body, "/twilio/events")), 204)
    assert [event.kind for event in stored.events()] == ["event.stream"] * count


def source_in(partition: int) -> str:
    """Return the source of events that come to `partition`."""
    names = (f"/calls/{number}" for number in count())
    return next(name for name in names if partition_of(f":event.stream:{name}", PARTITIONS) == partition)


async def test_array_is_accepted_as_a_whole(redis_url: str, redis_client: "redis.Redis", stored: Stored) -> None:
    """While one element is not safe none is acknowledged; the next delivery adds what is missing, and nothing twice."""
    elements = [dumps(stream_event(source=source_in(partition))).encode() for partition in range(3)]
    array = TWILIO.json(b"[" + b",".join(elements) + b"]", "/twilio/events")
    in_the_way = TWILIO.json(dumps([stream_event(source=source_in(1))]).encode(), "/twilio/events")
    async with running_ingress(ingress_settings(redis_url) | {"INGRESS_BACKLOG_LIMIT": str(PARTITIONS)}) as ingress:
        assert_accepted(await ingress.client.post(in_the_way), 204)
        for _ in range(2):
            reply = await ingress.client.post(array)
            assert (reply.status, reply.body) == (503, b"")
        redis_client.delete(keys.topic(1, EVENTS))
        for _ in range(2):
            assert_accepted(await ingress.client.post(array), 204)
    assert [event.body for event in stored.events()] == elements


async def test_element_speaks_for_no_account(redis_url: str, stored: Stored) -> None:
    """A token that is bound to one account makes events of that, whatever account they name inside an array."""
    bound, twin = Twilio("f" * 32), stream_event()
    forged = dumps([twin | {"AccountSid": ACCOUNT}]).encode()
    tokens = f"{'AC' + '2' * 32}={bound.token},{TWILIO.token}"
    async with running_ingress(ingress_settings(redis_url) | {"TWILIO_AUTH_TOKEN": tokens}) as ingress:
        assert (await ingress.client.post(bound.json(forged[1:-1], "/twilio/events"))).status == 503
        assert_accepted(await ingress.client.post(bound.json(forged, "/twilio/events")), 204)
    assert [(event.signer, event.account, event.dedupe_key) for event in stored.events()] == [
        ("token1", "AC" + "2" * 32, f"{'AC' + '2' * 32}:event.stream:{twin['id']}")
    ]


async def test_event_streams_are_kept_by_twilio(ingress: LocalIngress, stored: Stored) -> None:
    """Twilio discards events after a 403: so a wrong token is a 503, which it repeats; what is unsigned is not from Twilio."""
    forged = Twilio("0" * 32).json(dumps([stream_event()]).encode(), "/twilio/events")
    assert_refused(await ingress.client.post(forged), 503, stored)
    assert_refused(await ingress.client.post(forged.without_header("X-Twilio-Signature")), 403, stored)


async def test_sendgrid(redis_url: str, stored: Stored) -> None:
    """Each element of SendGrid's delivery is one event, under the key of any configured account; a repetition is none."""
    one, two = SendGrid(), SendGrid()
    delivery = [email_event(name, sg_message_id="m1") for name in ("processed", "delivered", "open")]
    async with running_ingress(
        ingress_settings(redis_url) | {"SENDGRID_PUBLIC_KEY": f"{one.public_key},{two.public_key}"}
    ) as ingress:
        a_minute_ago = str(int(time()) - 60)
        for webhook in (
            one.webhook(delivery[:2]),
            one.webhook(delivery[:2], timestamp=a_minute_ago),
            two.webhook(delivery[1:]),
        ):
            assert_accepted(await ingress.client.post(webhook), 204)
    events = stored.events(EVENTS)
    assert [loads(event.body) for event in events] == delivery
    assert [(event.kind, event.key, event.signer) for event in events] == [
        ("sendgrid.event", ":sendgrid.event:m1", signer) for signer in ("sendgrid1", "sendgrid1", "sendgrid2")
    ]
    assert stored.events() == events


async def test_sendgrid_forged(redis_url: str, stored: Stored) -> None:
    """Whatever differs from what SendGrid signed is refused, down to the line break at the end; neither signs for the other.

    SendGrid discards events after a 403: so what is signed, with a wrong key perhaps, is a 503, which it repeats.
    """
    sendgrid = SendGrid()
    webhook = sendgrid.webhook([email_event()])
    forgeries = {
        "body": webhook.with_body(webhook.body.strip()),
        "time": webhook.with_header(TIMESTAMP, "1750345201"),
        "no time": webhook.without_header(TIMESTAMP),
        "no signature": webhook.without_header(SIGNATURE),
        "no base64": webhook.with_header(SIGNATURE, "?"),
        "no DER": webhook.with_header(SIGNATURE, "AAAA"),
        "another account": SendGrid().webhook([email_event()]),
        "Twilio": TWILIO.json(webhook.body, "/sendgrid"),
        "to Twilio's path": sendgrid.webhook([email_event()], "/twilio"),
    }
    async with running_ingress(ingress_settings(redis_url) | {"SENDGRID_PUBLIC_KEY": sendgrid.public_key}) as ingress:
        for forgery in forgeries.values():
            kept = forgery.target == "/sendgrid" and SIGNATURE in forgery.headers
            assert_refused(await ingress.client.post(forgery), 503 if kept else 403, stored)


@pytest.mark.parametrize("path", ["/sendgrid", "/twilio/events", "/twilio"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_too_large(redis_url: str, stored: Stored, path: str, chunked: bool) -> None:
    """SendGrid and Event Streams discard what gets a 413: so it is a 503 there, which they repeat, unless it is unsigned."""
    signed = (SIGNATURE if path == "/sendgrid" else "X-Twilio-Signature").encode() + b": x\r\n"
    size = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: 2000000\r\n"
    head = b"POST " + path.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" + size
    async with running_ingress(ingress_settings(redis_url) | {"SENDGRID_PUBLIC_KEY": SendGrid().public_key}) as ingress:
        for headers, status in ((signed, 413 if path == "/twilio" else 503), (b"", 413)):
            reader, writer = await asyncio.open_connection(LOOPBACK, ingress.port)
            writer.write(head + headers + b"\r\n" + (b"1e8480\r\n" if chunked else b""))
            assert int((await reader.readline()).split()[1]) == status
            writer.close()
            await writer.wait_closed()
    assert stored.events() == []


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_sendgrid_signature_makes_nothing_else(redis_url: str, stored: Stored, method: str) -> None:
    """A genuine signature, its signed text moved into the timestamp, verifies no form and no query: only its own body."""
    sendgrid, sms = SendGrid(), urlencode(message(Body="pay me"))
    now = str(int(time()))
    moved = now + dumps([email_event()])
    headers = {"Content-Type": FORM, TIMESTAMP: moved, SIGNATURE: sendgrid.sign(moved.encode())}
    form = Webhook("/sendgrid", (), headers, sms.encode() if method == "POST" else b"", method)
    forged = [form, replace(form, target=f"/sendgrid?{sms}"), replace(form, headers=headers | {"Content-Type": JSON})]
    async with running_ingress(ingress_settings(redis_url) | {"SENDGRID_PUBLIC_KEY": sendgrid.public_key}) as ingress:
        for one in forged:
            refused_by_signature = method == "POST" and one.headers["Content-Type"] == JSON
            assert_refused(await ingress.client.post(one), 503 if refused_by_signature else 400, stored)
        genuine = sendgrid.webhook([email_event()])
        assert_accepted(await ingress.client.post(replace(genuine, target=f"/sendgrid?{sms}")), 204)
    assert [event.kind for event in stored.events()] == ["sendgrid.event"]


@pytest.mark.parametrize("body", [dumps(dict(message())).encode(), b"7", b""], ids=["object", "number", "nothing"])
async def test_sendgrid_makes_no_other_kind(redis_url: str, stored: Stored, body: bytes) -> None:
    """Not even what SendGrid itself has signed is a webhook of Twilio."""
    sendgrid, now = SendGrid(), str(int(time()))
    headers = {"Content-Type": JSON, TIMESTAMP: now, SIGNATURE: sendgrid.sign(now.encode() + body)}
    async with running_ingress(ingress_settings(redis_url) | {"SENDGRID_PUBLIC_KEY": sendgrid.public_key}) as ingress:
        assert_accepted(await ingress.client.post(Webhook("/sendgrid", (), headers, body)), 204)
    assert [(event.kind, event.account) for event in stored.events()] == [("unknown", "")]


@pytest.mark.parametrize("timestamp", ["", "x", "-1", "1 ", "１", "1234567890123", "1.5", "0"])  # noqa: RUF001 - digits
def test_sendgrid_timestamp_is_a_recent_time(timestamp: str) -> None:
    """What is no number of seconds, or older than duplicates are known, is refused, whatever signed it."""
    assert not sendgrid_verifies(timestamp)


@pytest.mark.parametrize(("age_s", "right"), [(0, True), (3299, True), (3300, False), (-300, True), (-301, False)])
def test_sendgrid_signature_expires_with_the_dedupe_window(age_s: int, right: bool) -> None:
    """A signature is valid for the dedupe window in all, clock skew included, so no replay becomes a second event."""
    assert sendgrid_verifies(str(RECEIVED_AT // 1000 - age_s)) is right


RECEIVED_AT = 1_750_000_000_000


def sendgrid_verifies(timestamp: str) -> bool:
    sendgrid = SendGrid()
    body = b"[]"
    headers = {"Content-Type": JSON, TIMESTAMP: timestamp}
    signature = sendgrid.sign(timestamp.encode() + body)
    request = Request("POST", "/sendgrid", CIMultiDict(headers), body, "", 0.0)
    keys = SendGridKeys([sendgrid.public_key], window_s=3600)
    return keys.verify(decode_sendgrid(request, signature, RECEIVED_AT)) is not None


@pytest.mark.parametrize(("age_s", "told"), [(0, False), (3300, True), (-301, True)])
def test_old_signature_of_sendgrid_is_told(age_s: int, told: bool) -> None:
    """It is neither a wrong URL nor a wrong token, and the log says so."""
    headers = {TIMESTAMP: str(RECEIVED_AT // 1000 - age_s)}
    webhook = decode_sendgrid(Request("POST", "/sendgrid", CIMultiDict(headers), b"[]", "", 0.0), "x", RECEIVED_AT)
    cause = SendGridKeys([SendGrid().public_key], window_s=3600).cause(webhook)
    assert ("INGRESS_DEDUPE_WINDOW_S" in str(cause)) is told


async def test_sendgrid_without_key(ingress: LocalIngress, stored: Stored) -> None:
    """Without a key there is no /sendgrid."""
    assert_refused(await ingress.client.post(SendGrid().webhook([email_event()])), 404, stored)
