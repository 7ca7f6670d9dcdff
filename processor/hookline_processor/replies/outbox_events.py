"""The events in the outbox: one for each message, of kind `message.send`. Pure.

Its body is JSON with the parameters of Twilio's API for the message, under Twilio's names, and the token of the message as
`HooklineToken`. All other fields are those of the event that sends it, as far as they have a meaning for it.
"""

import re
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Any, Final

import msgspec

from hookline_shared.catalogue.kinds import MESSAGE_SEND
from hookline_shared.event import BODY_FIELD, TEXT_FIELDS, Event, new_event_id, text_values
from hookline_shared.streams.outbox import SENT_LIFE_MS, OutboxEntry

TOKEN: Final = "HooklineToken"  # noqa: S105 - the name of a member
TARGET: Final = "/outbox"
_TOKEN_BYTES: Final = 16
_OF_CONTENT: Final = re.compile(r"sha256:.*|.*:[0-9a-f]{32}(~.*)?", re.DOTALL)
"""Dedupe keys that have a hash of content. Equal content is a new event some time later, which may be answered again."""


def token_of(event: Event, number: int) -> str:
    """Return the token of the message with `number` that `event` sends, the same whenever the same webhook sends it."""
    origin = event.id if _OF_CONTENT.fullmatch(event.dedupe_key) else event.dedupe_key
    digest = blake2b(f"{number}\0{origin}".encode(errors="replace"), digest_size=_TOKEN_BYTES).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def outbox_entry(event: Event, number: int, parameters: dict[str, Any], now_ms: int) -> OutboxEntry:
    """Return the entry of the message with `parameters`, which is the one with `number` that `event` sends."""
    token = token_of(event, number)
    body = msgspec.json.encode(parameters | {TOKEN: token})
    message = Event(
        id=new_event_id(now_ms),
        kind=MESSAGE_SEND,
        key=event.key,
        dedupe_key=f"{event.account}:{MESSAGE_SEND}:{token}",
        received_at=now_ms,
        account=event.account,
        content_type="application/json",
        target=TARGET,
        body=body,
        traceparent=event.traceparent,
        method="POST",
    )
    values = zip(TEXT_FIELDS, text_values(message), strict=True)
    return OutboxEntry(token, SENT_LIFE_MS, [*(word for pair in values for word in pair), BODY_FIELD, body.decode()])
