"""Requests that are not bytes yet, and validly signed ones of every form. Pure but for the random source that is handed in."""

import hashlib
import hmac
import json
import string
from base64 import b64encode
from collections.abc import Set
from dataclasses import dataclass
from random import Random
from typing import Final

from bench.load.webhooks import ACCOUNT, PUBLIC_URL, TOKEN

_FORM: Final = b"application/x-www-form-urlencoded"
_JSON: Final = b"application/json"
_PATHS: Final = [
    "/twilio",
    "/twilio/message",
    "/twilio/status",
    "/twilio/voice",
    "/twilio/conversation",
    "/twilio/studio",
    "/twilio/debugger",
]
_EVENTS: Final = "/twilio/events"
_NAMES: Final = [
    "MessageSid",
    "SmsStatus",
    "MessageStatus",
    "CallSid",
    "CallStatus",
    "SequenceNumber",
    "EventType",
    "ConversationSid",
    "RecordingSid",
    "RecordingStatus",
    "ResourceSid",
    "Timestamp",
    "FlowSid",
    "Body",
    "NumMedia",
    "From",
    "To",
    "AccountSid",
    "ErrorCode",
    "Payload",
    "uuid",
    "type",
    "id",
    "source",
    "specversion",
]
_ODD: Final = ("", " ", "+", "%", "&=", "\0", "\r\n", "ü", "💥", "\ufeff", "x" * 300, "=cmd()", '"', "\u202e", "{{0}}", "%s")


_PLAIN: Final = frozenset(string.ascii_letters + string.digits)


def _table(code: bytes, space: bytes, plain: Set[str]) -> list[bytes]:
    """Return what each byte is encoded as: as `code`, but for spaces and what stays `plain`."""
    return [space if byte == 0x20 else bytes([byte]) if chr(byte) in plain else code % byte for byte in range(256)]


_ENCODINGS: Final = (
    _table(b"%%%02X", b"+", _PLAIN),
    _table(b"%%%02X", b"%20", _PLAIN | frozenset("-._~*!()")),
    _table(b"%%%02x", b"%20", _PLAIN),
    _table(b"%%%02x", b"+", frozenset()),
)


@dataclass
class Draft:
    """A request. `chunks` are the sizes of its chunks, None if it says how long it is; `is_signed` is whether it is valid."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    is_signed: bool = True
    version: bytes = b"HTTP/1.1"
    chunks: list[int] | None = None

    def set_header(self, name: bytes, value: bytes) -> None:
        """Set a header, in place of those of the same name."""
        self.headers = [header for header in self.headers if header[0].lower() != name.lower()]
        self.headers.append((name, value))


def signed_draft(source: Random) -> Draft:
    """Return a request of any kind, validly signed."""
    kind = source.random()
    if kind < 0.6:
        return _form(source)
    return _json(source) if kind < 0.9 else _get(source)


def _form(source: Random) -> Draft:
    pairs = _pairs(source)
    target = source.choice(_PATHS) + _query(source)
    text = PUBLIC_URL + target + "".join(name + value for name, value in dict.fromkeys(sorted(pairs)))
    body = b"&".join(_encode(source, name) + b"=" + _encode(source, value) for name, value in pairs)
    content_type = source.choice([_FORM, _FORM, _FORM + b"; charset=UTF-8", _FORM.title()])
    return _draft(b"POST", target, text, [(b"Content-Type", content_type)], body)


def _json(source: Random) -> Draft:
    events = source.random() < 0.5
    tree = [_tree(source, 0) for _ in range(source.randrange(4))] if events else _tree(source, 0)
    body = json.dumps(tree, ensure_ascii=source.random() < 0.5).encode(errors="surrogatepass")
    path = _EVENTS if events else source.choice(_PATHS)
    target = f"{path}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    return _draft(b"POST", target, PUBLIC_URL + target, [(b"Content-Type", _JSON)], body)


def _get(source: Random) -> Draft:
    query = b"&".join(_encode(source, name) + b"=" + _encode(source, value) for name, value in _pairs(source)[:20])
    target = source.choice(_PATHS) + "?" + query.decode("ascii", "replace").replace("\ufffd", "")
    return _draft(b"GET", target, PUBLIC_URL + target, [], b"")


def _draft(method: bytes, target: str, text: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Draft:
    mac = hmac.new(TOKEN.encode(), text.encode(errors="surrogatepass"), "sha1").digest()
    return Draft(method, target.encode(), [(b"Host", b"h"), *headers, (b"X-Twilio-Signature", b64encode(mac))], body)


def _query(source: Random) -> str:
    return source.choice(["", "", "", "?a=1", "?", "?a=%20&a=b", "?bodySHA256=x", "?x=%C3%BC"])


def _pairs(source: Random) -> list[tuple[str, str]]:
    """Return parameters, some of which tell the kind of the webhook, none twice with both the same name and value."""
    sid = f"SM{source.getrandbits(128):032x}"
    pairs = [("AccountSid", ACCOUNT), ("MessageSid", sid), ("From", "+15105550001"), ("To", "+14155550100"), ("Body", "hello")]
    pairs = pairs[: source.randrange(len(pairs) + 1)]
    pairs += [(source.choice(_NAMES), _text(source)) for _ in range(source.randrange(12))]
    if source.random() < 0.02:
        pairs += [(f"n{number}", "") for number in range(source.choice([50, 990, 1010]))]
    return list(dict.fromkeys(pairs))


def _text(source: Random) -> str:
    if source.random() < 0.3:
        return source.choice(_ODD)
    return source.choice(["received", "delivered", "completed", "1", f"CA{source.getrandbits(128):032x}", "onMessageAdded"])


def _tree(source: Random, depth: int) -> object:
    kind = source.random()
    if depth < 4 and kind < 0.6:
        return {source.choice(_NAMES): _tree(source, depth + 1) for _ in range(source.randrange(5))}
    if depth < 4 and kind < 0.7:
        return [_tree(source, depth + 1) for _ in range(source.randrange(4))]
    return source.choice([_text(source), source.randrange(-(10**20), 10**20), source.random(), True, None, 1e308])


def _encode(source: Random, text: str) -> bytes:
    """Return `text` as a form has it: what must be encoded is, and some of the rest."""
    table = source.choice(_ENCODINGS)
    return b"".join(map(table.__getitem__, text.encode(errors="surrogatepass")))
