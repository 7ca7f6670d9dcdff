"""The attacks: what each connection sends, and what it does then. Pure."""

import re
from typing import Final, NamedTuple

from bench.load import webhooks

_MIB: Final = 1 << 20
_HEAD: Final = b"POST %b HTTP/1.1\r\nHost: h\r\n%b\r\n"
_FORGED: Final = b"X-Twilio-Signature: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"
_JSON: Final = b"Content-Type: application/json\r\n"
_MANY: Final = 2000
"""Webhooks that differ: more than ingress has results of verification in its cache."""
_SIGNATURE: Final = re.compile(rb"X-Twilio-Signature: [^\r]+\r\n")


class Attack(NamedTuple):
    """Each of `connections` sends `data` over and over, or once if it `holds` the connection until the server ends it.

    `requests` is the number of requests in `data`. `reads` is whether the attacker reads the replies.
    """

    name: str
    connections: int
    data: bytes
    requests: int = 1
    holds: bool = False
    reads: bool = True


def _request(path: bytes, headers: bytes, body: bytes = b"") -> bytes:
    return _HEAD % (path, headers + b"Content-Length: %d\r\n" % len(body)) + body


def _genuine_but(signature: bytes, number: int = 0) -> bytes:
    """Return webhook `number` as Twilio sends it, with `signature` for its header."""
    return _SIGNATURE.sub(signature, webhooks.request(number))


_CHUNKED: Final = _HEAD % (b"%b", _JSON + b"Transfer-Encoding: chunked\r\n")
_UNSIGNED: Final = _genuine_but(b"")

ATTACKS: Final = (
    Attack("unsigned webhooks", 8, _UNSIGNED),
    Attack("forged signatures", 8, _genuine_but(_FORGED)),
    Attack("forged, all different", 8, b"".join(_genuine_but(_FORGED, number) for number in range(_MANY)), requests=_MANY),
    Attack("a captured webhook, replayed", 8, webhooks.request(0)),
    Attack(
        "1 MiB of JSON, forged",
        4,
        _request(b"/twilio/events?bodySHA256=x", _JSON + _FORGED, b"[" + b'{"a":1},' * (_MIB // 8 - 1) + b"0]"),
    ),
    Attack("1 MiB in chunks of a byte", 10, _CHUNKED % b"/twilio/events" + b"1\r\nx\r\n" * _MIB),
    Attack("the same, unknown path", 10, _CHUNKED % b"/" + b"1\r\nx\r\n" * _MIB),
    Attack(
        "1 MiB in the smallest chunks", 8, _CHUNKED % b"/twilio/events" + b"384\r\n%b\r\n" % (b"x" * 900) * 1165 + b"0\r\n\r\n"
    ),
    Attack("empty lines", 8, b"\r\n" * (_MIB // 2), requests=0),
    Attack("unfinished heads", 200, b"GET /twilio HTTP/1.1\r\n" + b"X-Header: value\r\n" * (1_440_000 // 17), holds=True),
    Attack("half-sent bodies", 100, _request(b"/twilio/events", _JSON, b"x" * _MIB)[:-1], holds=True),
    Attack("a request and a half", 200, _UNSIGNED + _UNSIGNED[:-1], requests=2, holds=True),
    Attack("pipelines", 8, _request(b"/", b"") * 4000, requests=4000),
    Attack("pipelines, replies unread", 8, _request(b"/", b"") * 4000, requests=4000, reads=False),
    Attack(
        "100-continue, byte by byte",
        50,
        _HEAD % (b"/twilio/events", b"Expect: 100-continue\r\nContent-Length: 1000000\r\n"),
        holds=True,
    ),
    Attack("idle connections", 1000, b"", requests=0, holds=True),
)
