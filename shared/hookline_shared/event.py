"""The event of one webhook, and its format in a Redis stream.

Wire format, schema 1. A stream entry is a flat list of names and values, in this order:

    v           schema version, "1"
    id          event id: a UUIDv7 in 32 hexadecimal digits, made at ingress, so ids sort by time
    kind        what happened, for example "message.received"
    key         ordering key: events of one key are handled one at a time, in arrival order
    dedupe      deduplication key: a second event with the same one is dropped inside the window
    received    Unix time in milliseconds at which ingress received the request
    account     Twilio account SID, or empty
    type        the request's Content-Type as sent; empty for a GET
    target      path and query exactly as Twilio called them, never decoded
    signature   the X-Twilio-Signature that was verified
    signer      name of the secret that verified it (a name, not the secret)
    trace       W3C traceparent of the request, or empty
    method      POST or GET; missing in entries of earlier versions
    body        the raw body bytes

An event that was a dead letter and was replayed has these as well, which `scripts/replay.lua` adds; all other fields stay:

    lives         how often it was replayed
    first.at      Unix time in milliseconds at which it first became a dead letter
    first.reason  the `dead.reason` of that dead letter
    first.topic   the topic that it came from
    first.entry   its entry id in that topic

All values but `body` are UTF-8 text. The entry has everything that the signature covers, so it can be verified again.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from random import Random
from typing import Final, NamedTuple

import msgspec

from hookline_shared.errors import UndecodableError

SCHEMA: Final = "1"
_SCHEMA: Final = SCHEMA.encode()

TEXT_FIELDS: Final = (
    "v",
    "id",
    "kind",
    "key",
    "dedupe",
    "received",
    "account",
    "type",
    "target",
    "signature",
    "signer",
    "trace",
    "method",
)
BODY_FIELD: Final = "body"
FIELDS_AS_RECEIVED: Final = 2 * (len(TEXT_FIELDS) + 1)
"""Names and values of an event that was never replayed."""
_RECEIVED: Final = TEXT_FIELDS.index("received")
_NAMES: Final = [name.encode() for name in (*TEXT_FIELDS, BODY_FIELD)]
_HISTORY_FIELDS: Final = (b"lives", b"first.at", b"first.reason", b"first.topic", b"first.entry")

_random: Final = Random()  # noqa: S311 - see new_event_id
_VERSION: Final = 7 << 76
_VARIANT: Final = 0b10 << 62
_LOW_62: Final = (1 << 62) - 1


_CLAIM: Final = blake2b(digest_size=16)
"""Copied for each claim: that takes half the time of a new one."""

TOKEN_MARK: Final = "~"  # noqa: S105 - a separator
"""Stands before Twilio's idempotency token, at the end of a key."""


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One accepted webhook. `received_at` is Unix time in milliseconds; the module's docstring explains every field.

    `claim` is what its signed text is claimed for, see `claim_for`; if it is empty, nothing is claimed. `text_hash` is a hash
    of that text if several signatures may be valid for it. Both matter only until the event is in its stream, and are no fields
    there.
    """

    id: str
    kind: str
    key: str
    dedupe_key: str
    received_at: int
    account: str = ""
    content_type: str = ""
    target: str
    body: bytes
    signature: str = ""
    signer: str = ""
    traceparent: str = ""
    method: str = ""
    claim: str = ""
    text_hash: str = ""

    @property
    def signed_text(self) -> str:
        """What stands for the signed text: its hash, or the signature, which is one if it is an HMAC."""
        return self.text_hash or self.signature


class ReplayHistory(NamedTuple):
    """The replays of an event. `lives` counts them; the other fields are of its first dead letter. `died_at` is Unix time in
    milliseconds."""

    lives: int = 0
    died_at: int = 0
    reason: str = ""
    topic: str = ""
    entry: str = ""


def new_event_id(now_ms: int, bits: int | None = None) -> str:
    """Return a new UUIDv7 (RFC 9562 section 5.7) as 32 hexadecimal digits, from `now_ms`, Unix time in milliseconds.

    `bits` are its 74 random bits. An id must be unique, not secret, so by default they come from a generator that asks the
    system for entropy only once.
    """
    if bits is None:
        bits = _random.getrandbits(74)
    number = now_ms << 80 | _VERSION | bits >> 62 << 64 | _VARIANT | bits & _LOW_62
    return number.to_bytes(16, "big").hex()


def claim_for(what: str, token: str = "") -> str:
    """Return the claim for `what` with the idempotency token `token`, in the format of `claim_signature.lua`."""
    claim = _CLAIM.copy()
    claim.update(what.encode())
    if not token:
        return claim.hexdigest()
    return claim.hexdigest() + blake2b(token.encode(), digest_size=4).hexdigest()


def without_token(key: str) -> str:
    """Return the dedupe or ordering key `key` without Twilio's idempotency token: what the signed request alone makes."""
    return key.partition(TOKEN_MARK)[0]


def text_values(event: Event) -> tuple[str, ...]:
    """Return the values of `event` in the order of `TEXT_FIELDS`."""
    return (
        SCHEMA,
        event.id,
        event.kind,
        event.key,
        event.dedupe_key,
        str(event.received_at),
        event.account,
        event.content_type,
        event.target,
        event.signature,
        event.signer,
        event.traceparent,
        event.method,
    )


def decode(fields: Sequence[bytes]) -> Event:
    """Return the event in the flat names and values of a stream entry, in any order. Unknown names are ignored.

    Raises:
        UndecodableError: if the schema is another one, or a field is missing or malformed.

    """
    if fields[::2] == _NAMES and (event := _decode_as_written(fields[1::2])) is not None:
        return event
    named = dict(zip(fields[::2], fields[1::2], strict=False))
    if named.get(b"v") != _SCHEMA:
        raise UndecodableError(f"schema {named.get(b'v', b'(none)')!r} is not {_SCHEMA!r}")
    try:
        return Event(
            id=named[b"id"].decode(),
            kind=named[b"kind"].decode(),
            key=named[b"key"].decode(),
            dedupe_key=named[b"dedupe"].decode(),
            received_at=int(named[b"received"]),
            account=named[b"account"].decode(),
            content_type=named[b"type"].decode(),
            target=named[b"target"].decode(),
            body=named[b"body"],
            signature=named[b"signature"].decode(),
            signer=named[b"signer"].decode(),
            traceparent=named[b"trace"].decode(),
            method=named.get(b"method", b"").decode(),
        )
    except KeyError as error:
        raise UndecodableError(f"field {error.args[0].decode()} is missing") from error
    except ValueError as error:
        raise UndecodableError(f"a field is malformed: {type(error).__name__}") from error


def _decode_as_written(values: Sequence[bytes]) -> Event | None:
    """Return the event whose `values` are in the order of the format; None if one of them is malformed, or has a NUL."""
    try:
        texts = b"\0".join(values[:-1]).decode().split("\0")
        schema, id_, kind, key, dedupe, _, account, content_type, target, signature, signer, trace, method = texts
        if schema != SCHEMA:
            return None
        return Event(
            id=id_,
            kind=kind,
            key=key,
            dedupe_key=dedupe,
            received_at=int(values[_RECEIVED]),
            account=account,
            content_type=content_type,
            target=target,
            body=values[-1],
            signature=signature,
            signer=signer,
            traceparent=trace,
            method=method,
        )
    except ValueError:
        return None


def replay_history_of(named: Mapping[bytes, bytes]) -> ReplayHistory:
    """Return the replay history in the fields of an entry, which are given by name."""
    if b"lives" not in named:
        return ReplayHistory()
    lives, died_at, *words = (named.get(name, b"").decode(errors="replace") for name in _HISTORY_FIELDS)
    return ReplayHistory(parse_count(lives), parse_count(died_at), *words)


def parse_count(text: str) -> int:
    """Return the number that `text` is, 0 if it is none: a field of an entry may hold anything."""
    return int(text) if text.isascii() and text.isdecimal() else 0
