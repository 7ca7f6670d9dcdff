"""Live events: Twilio waits for what their handler answers. Pure.

A live event is marked at the end of its dedupe key, so that everything that keeps the key keeps the mark: the spool, retries, a
duplicate. The mark stands behind the idempotency token, and there is a `~` even if there is no token:

    AC…:call.received:CA…:/menu:<hash of the content>~<token>!60      waited for, for 60 s
    …!60r                                                             handled even if it is older than that

Its answer is JSON under `<prefix>:{p}:answer:<digest of the marked dedupe key>`, written by the step that settles the event,
which also adds the digest to the stream `<prefix>:{p}:answers`.
"""

import re
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Final, Literal, NamedTuple

import msgspec

from hookline_shared.catalogue.kind import Kind, Reply
from hookline_shared.catalogue.products.messaging import MessageReceived
from hookline_shared.catalogue.products.voice import CallReceived
from hookline_shared.catalogue.sids import account_of
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.event import TOKEN_MARK, Event
from hookline_shared.topics import MESSAGES, STATUSES

LIVE_MARK: Final = "!"
DIGEST: Final = re.compile(r"[A-Za-z0-9_-]{22}")
LONGEST_HOLD_S: Final = 600
_MARK: Final = re.compile(r"~[A-Za-z0-9_-]*!(\d{1,3})(r?)$")
_DIGEST_BYTES: Final = 16
_LONGER_MS: Final = 60_000
"""How much longer than the hold time an answer is kept: callers come back until then, and repeat what they pressed."""


class Live(NamedTuple):
    """What is known of a live event: how long it is waited for, in seconds, and whether it is handled after that."""

    hold_s: int
    runs_expired: bool = False

    @property
    def life_ms(self) -> int:
        """How long its answer is kept, in milliseconds."""
        return self.hold_s * 1000 + _LONGER_MS

    def is_over(self, received_at: int, now_ms: int) -> bool:
        """Whether nobody waits any more for an event that was received at `received_at`. Both are Unix time in ms."""
        return not self.runs_expired and now_ms - received_at > self.hold_s * 1000


class LiveAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a live event: a reply, none, so that the route's own applies, or that the event has failed.

    `call` and `account` are the SIDs of the call and account of the event. Nobody else gets it. `event` is the id of the event:
    one of equal content that comes after the dedupe window has its answer in the same place.
    """

    outcome: Literal["reply", "none", "failed"] = "none"
    call: str = ""
    account: str = ""
    event: str = ""
    status: int = 200
    content_type: str = ""
    body: str = ""


class AnswerRecord(NamedTuple):
    """The answer to a live event that is done or dead: what names it, the answer, and how long it is kept in milliseconds."""

    topic: str
    entry_id: str
    digest: str
    text: str
    life_ms: int


class Place(NamedTuple):
    """Where an answer is: its partition, and the digest of the dedupe key."""

    partition: int
    digest: str


def waits(kind: Kind) -> bool:
    """Whether a webhook of `kind` is answered with what its handler returns, on a live route.

    Replies to messages are sent. Nobody reads what answers a status, or a batch of events.
    """
    if kind.name == MessageReceived.kind or kind.elements:
        return False
    return kind.reply is Reply.TWIML or kind.topic not in (STATUSES, MESSAGES)


def is_call(kind: str) -> bool:
    """Whether a webhook of `kind` asks what a call does next, so that it can be held."""
    return kind == CallReceived.kind


def caller_of(event: Event) -> tuple[str, str]:
    """Return the SIDs of the call and the account of `event`, empty where it names none."""
    try:
        params = WebhookEvent(event).params
    except ValueError:
        return "", ""
    return params.get("CallSid", ""), account_of(params)


def marked(dedupe_key: str, live: Live) -> str:
    """Return the dedupe key of an event that is `live`."""
    token = "" if TOKEN_MARK in dedupe_key else TOKEN_MARK
    return f"{dedupe_key}{token}{LIVE_MARK}{live.hold_s}{'r' if live.runs_expired else ''}"


def live_of(dedupe_key: str) -> Live | None:
    """Return what the dedupe key of an event says, None if it is not live."""
    if LIVE_MARK not in dedupe_key or (found := _MARK.search(dedupe_key)) is None:
        return None
    return Live(int(found[1]), bool(found[2]))


def without_mark(dedupe_key: str) -> str:
    """Return a dedupe key without what makes it live."""
    found = _MARK.search(dedupe_key) if LIVE_MARK in dedupe_key else None
    return dedupe_key if found is None else dedupe_key[: dedupe_key.rindex(LIVE_MARK)]


def digest_of(dedupe_key: str) -> str:
    """Return what names the answer to the event with the marked `dedupe_key`."""
    digest = blake2b(dedupe_key.encode(errors="replace"), digest_size=_DIGEST_BYTES).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def encode_answer(answer: LiveAnswer) -> str:
    """Return `answer` as it is stored."""
    return msgspec.json.encode(answer).decode()


def decode_answer(stored: bytes | None) -> LiveAnswer | None:
    """Return the stored answer, None if there is none. One that cannot be read has failed."""
    if stored is None:
        return None
    try:
        return msgspec.json.decode(stored, type=LiveAnswer)
    except msgspec.MsgspecError:
        return LiveAnswer("failed")
