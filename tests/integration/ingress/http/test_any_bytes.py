"""Anything that can come out of a socket, at a whole ingress: every request gets an answer that is no failure of ingress."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from json import dumps
from typing import Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hookline_ingress.routing.routes import PATHS
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import FORM, JSON, Twilio, Webhook
from tests.support.ingress.ingress_client import raw_request
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.ingress.wire import connected

ON_UVLOOP = True
pytestmark = pytest.mark.timeout(method="thread")  # uvloop takes the exception of the other method for a callback's

TWILIO = Twilio()
ANSWER_S: Final = 10.0
"""Far more than any answer takes, also on a busy machine, and less than any limit of ingress after which it gives up."""

on_one_ingress = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
async def ingress(redis_url: str) -> AsyncIterator[LocalIngress]:
    """Yield an ingress that believes the test what it says of others, and see that nothing has harmed it in the end."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    changes = {
        "INGRESS_TRUSTED_PROXIES": "127.0.0.0/8",
        "INGRESS_READ_TIMEOUT_S": "60",
        "INGRESS_ADDRESS_RATE": "1000000",  # nobody is turned away unread,
        "INGRESS_ADDRESS_BURST": "20",  # but every address is told to the others
    }
    async with running_ingress(ingress_settings(redis_url) | changes) as ingress:
        yield ingress
        assert (await ingress.client.post(TWILIO.webhook(message()))).status == 200
        assert (await ingress.admin.request("GET", "/readyz", {})).status == 200
        assert ingress.supervisor.failure is None
        assert [line for line in ingress.logbook.lines if line["level"] in ("error", "critical")] == complaints == []


async def statuses(ingress: LocalIngress, sent: bytes) -> list[int]:
    """Send bytes and then no more; give the statuses of all answers until the server ends the connection, too."""
    async with asyncio.timeout(ANSWER_S), connected(ingress.port) as wire:
        wire.send(sent)
        wire.finish()
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", await wire.rest())]


junk = st.binary(max_size=60)
names = st.sampled_from(
    b"Host,Content-Type,Content-Length,Content-Encoding,Transfer-Encoding,Connection,Upgrade,Expect,X-Twilio-Signature,"
    b"X-Twilio-Webhooks-Signature-Settings,X-Forwarded-For,X-Forwarded-Host,X-Forwarded-Proto,traceparent,Cookie".split(b",")
)
values = st.sampled_from(
    b"0|3|18446744073709551615|00000000000000000003|-1|x|chunked|gzip|close|upgrade|websocket|h2c|100-continue|https|h:99999|[::1|"
    b"application/json|application/x-www-form-urlencoded|key=a,algorithm=HMAC_SHA256|algorithm=|\xff|\xff, 127.0.0.1|".split(
        b"|"
    )
)
targets = st.sampled_from([*PATHS]).map(str.encode)
queries = st.sampled_from(b"|?|?%ff|?a=%00|?bodySHA256=x|?\xff|?#|?a=1&a=1|#x".split(b"|"))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Return what looks like a request, any part of which may be anything."""
    method = draw(
        st.sampled_from([b"POST", b"GET", b"PUT", b"HEAD", b"CONNECT", b"OPTIONS", b"post", b"M-SEARCH", b"PRI"]) | junk
    )
    target = draw(
        st.builds(bytes.__add__, targets, queries | junk) | st.sampled_from([b"*", b"//", b"http://][@", b"h:1"]) | junk
    )
    version = draw(st.sampled_from([b"HTTP/1.1"] * 4 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b""]) | junk)
    headers = draw(st.lists(st.tuples(names | junk, values | junk), max_size=4))
    body = draw(junk | st.sampled_from([b"", b"3\r\nabc\r\n0\r\n\r\n", b"a=%ff", b'{"a":', b"[" * 1000]))
    lines = [b" ".join((method, target, version)), b"Host: h", *(name + b": " + value for name, value in headers)]
    return b"\r\n".join([*lines, b"", body])


@given(st.lists(junk | requests(), min_size=1, max_size=3).map(b"".join))
@example(b"CONNECT \n!:\r\n\r\n")
@example(b"POST /twilio?%ff HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
@on_one_ingress
async def test_any_bytes(ingress: LocalIngress, sent: bytes) -> None:
    """Whatever is sent is answered with a 4xx, or where it is no request yet by the end of the connection.

    But for a wrong signature at /twilio/events: Twilio would discard the event for good, so that is a 503 by design.
    """
    most = 503 if b"/twilio/events" in sent else 499
    assert all(status <= most and status != 500 for status in await statuses(ingress, sent))


@given(
    st.sampled_from(["POST", "GET"]),
    st.sampled_from([*PATHS]),
    st.sampled_from(["/twilio", "Content-Type", "X-Forwarded-Host", "X-Forwarded-For", "X-Twilio-Signature"]),
    st.sampled_from(["", FORM, JSON]),
    junk,
)
@on_one_ingress
async def test_any_part_of_a_request(ingress: LocalIngress, method: str, path: str, where: str, kind: str, part: bytes) -> None:
    """A request that is one, with anything for its query, a header or its body, is refused as a client's mistake."""
    odd = part.translate(None, b"\r\n\0 ")
    body = part if method == "POST" else b""
    headers = {b"Host": b"h", b"Content-Length": b"%d" % len(body)}
    if kind:
        headers[b"Content-Type"] = kind.encode()
    if where == "/twilio":
        path += "?" + odd.decode(errors="surrogateescape")
    else:
        headers[where.encode()] = odd
    lines = [f"{method} {path} HTTP/1.1".encode(errors="surrogateescape"), *(b"%s: %s" % header for header in headers.items())]
    answers = await statuses(ingress, b"\r\n".join([*lines, b"", body]))
    by_design = path == "/twilio/events" and where == "X-Twilio-Signature"
    assert len(answers) == 1
    assert 400 <= answers[0] < 500 or (by_design and answers[0] == 503)


async def answer_to(ingress: LocalIngress, webhook: Webhook) -> int:
    (status,) = await statuses(ingress, raw_request(webhook, ingress.port))
    return status


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["\0", "\ufeff", "%", "%s", "{0}", "💥" * 100]
)
TELLING: Final = """
    AccountSid MessageSid MessageStatus Body CallSid CallStatus EventType ConversationSid ResourceSid From To uuid type
    specversion id source Level PayloadType Payload FlowSid Timestamp
"""
known = st.sampled_from(TELLING.split())
form_names = known | text.filter(re.compile(r"[^\x00-\x1f\x7f/?#&=]+").fullmatch)
forms = st.lists(st.tuples(form_names, text), max_size=12).map(tuple)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(known | text, inner, max_size=6),
)


@given(forms, st.sampled_from([*PATHS]))
@on_one_ingress
async def test_any_signed_form(ingress: LocalIngress, form: tuple[tuple[str, str], ...], path: str) -> None:
    """Whatever Twilio puts into a webhook, it is accepted. Names with separators are refused: see docs/security.md.

    Each has a text of its own, since the same signed text, cut into other parameters, is refused.
    """
    assert await answer_to(ingress, TWILIO.webhook((*form, ("Nonce", uuid4().hex)), path)) in (200, 204)


@given(trees.map(lambda tree: dumps(tree).encode()) | junk, st.sampled_from([*PATHS]))
@on_one_ingress
async def test_any_signed_json(ingress: LocalIngress, body: bytes, path: str) -> None:
    """So is any body that is no form, also one that claims to be JSON and is not."""
    assert await answer_to(ingress, TWILIO.json(body, path)) in (200, 204)


def form(*params: tuple[str, str]) -> Webhook:
    return TWILIO.webhook(params)


HUGE: Mapping[str, tuple[Webhook, int]] = {
    "long name": (form(("n" * 60_000, "v")), 204),
    "long value": (form(*message(Body="b" * 60_000)), 200),
    "long identifiers": (form(*message(MessageSid="M" * 5_000, From="+" * 10_000, AccountSid="A" * 10_000)), 200),
    "1000 parameters": (form(*((f"n{number}", "") for number in range(1000))), 204),
    "1001 parameters": (form(*((f"n{number}", "") for number in range(1001))), 400),
    "one parameter 1000 times": (form(*(("n", str(number)) for number in range(1000))), 204),
    "60 kB of percent signs": (form(("n", "\0" * 20_000)), 204),
    "UTF-8 that is none": (form().with_body(b"a=%ed%a0%80"), 400),
    "gzip": (form(*message()).with_header("Content-Encoding", "gzip"), 415),
    "deep JSON": (TWILIO.json(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"), 204),
    "deep elements": (TWILIO.json(b'[{"a":' + b"[" * 900 + b"]" * 900 + b"}]"), 204),
    "long number": (TWILIO.json(b'{"a":' + b"9" * 500_000 + b"}"), 204),
    "large numbers": (TWILIO.json(b'{"a":[1e999,-1e999,123456789012345678901234567890]}'), 204),
    "half a surrogate": (TWILIO.json(b'{"a":"\\ud800","AccountSid":"\\udc00"}'), 204),
    "BOM": (TWILIO.json(b'\xef\xbb\xbf{"a":1}'), 204),
    "members without end": (TWILIO.json(dumps({str(number): number for number in range(50_000)}).encode()), 204),
    "10 000 elements": (TWILIO.json(dumps([*range(10_000)]).encode()), 204),
    "elements without end": (TWILIO.json(b"[" + b"0," * 500_000 + b"0]"), 413),
    "elements without end, of Event Streams": (TWILIO.json(b"[" + b"0," * 500_000 + b"0]", "/twilio/events"), 503),
}


@pytest.mark.parametrize("name", HUGE)
async def test_signed_and_huge(ingress: LocalIngress, name: str) -> None:
    """What is too much is refused, what is not is accepted, and either takes a bounded time."""
    webhook, status = HUGE[name]
    assert await answer_to(ingress, webhook) == status
