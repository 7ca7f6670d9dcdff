"""The kinds of webhooks Twilio sends: how each is told, its dedupe key and its ordering key. Pure.

Sources: Twilio's references of the webhook parameters of each product. Dedupe keys begin with the account and the kind, so that
neither two kinds nor two accounts can ever collide; a key part that is missing or overlong is replaced by a hash.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from shared import topics
from shared.forms import Form

Params = Mapping[str, str]
"""Decoded parameters by Twilio's names; of a repeated one, the last."""

_MAX_KEY_LENGTH: Final = 200
_NOT_CONTENT: Final = frozenset({"ErrorCode", "ErrorUrl", "RetryCount"})
"""Parameters that Twilio adds when it calls again: the same event has them or not."""


class Request(NamedTuple):
    """What the keys of an event are made of. `target` is the raw path and query; `form` has repeated parameters, too."""

    target: str
    params: Params
    form: Form


@dataclass(frozen=True)
class Kind:
    """One kind of webhook. Both key functions are called only with requests that `matches` accepts."""

    name: str
    topic: str
    matches: Callable[[Params], bool]
    dedupe: Callable[[Request], str]
    ordering: Callable[[Request], str]


def content_hash(request: Request) -> str:
    """Give a hash of query and parameters, in any order, but those that differ between two deliveries of one event."""
    digest = sha256(request.target.partition("?")[2].encode())
    for name, value in sorted(request.form):
        if name not in _NOT_CONTENT:
            digest.update(f"{len(name)}:{name}{len(value)}:{value}".encode())
    return digest.hexdigest()[:32]


def _message_sid(params: Params) -> str:
    return params.get("MessageSid") or params.get("SmsSid", "")


def _is_message_status(params: Params) -> bool:
    return bool(_message_sid(params)) and params.get("MessageStatus", "received") != "received"


def _is_message_received(params: Params) -> bool:
    return bool(_message_sid(params)) and not _is_message_status(params) and ("Body" in params or "NumMedia" in params)


def _is_call_status(params: Params) -> bool:
    return bool(params.get("CallSid")) and params.get("CallbackSource") == "call-progress-events"


def _is_call_received(params: Params) -> bool:
    return bool(params.get("CallSid")) and "CallStatus" in params and not _is_call_status(params)


def _message_status_facts(request: Request) -> str:
    params = request.params
    return f"{_message_sid(params)}:{params['MessageStatus']}:{params.get('EventType', '')}"


def _call_status_facts(request: Request) -> str:
    params = request.params
    return f"{params['CallSid']}:{params.get('SequenceNumber') or params.get('CallStatus', '')}"


MESSAGE_RECEIVED: Final = Kind(
    name="message.received",
    topic=topics.MESSAGES,
    matches=_is_message_received,
    dedupe=lambda request: _message_sid(request.params),
    ordering=lambda request: f"{request.params.get('From', '')}:{request.params.get('To', '')}",
)
MESSAGE_STATUS: Final = Kind(
    name="message.status",
    topic=topics.STATUSES,
    matches=_is_message_status,
    dedupe=_message_status_facts,
    ordering=lambda request: _message_sid(request.params),
)
CALL_RECEIVED: Final = Kind(
    name="call.received",
    topic=topics.CALLS,
    matches=_is_call_received,
    dedupe=lambda request: f"{request.params['CallSid']}:{request.target}:{content_hash(request)}",
    ordering=lambda request: request.params["CallSid"],
)
CALL_STATUS: Final = Kind(
    name="call.status",
    topic=topics.STATUSES,
    matches=_is_call_status,
    dedupe=_call_status_facts,
    ordering=lambda request: request.params["CallSid"],
)
UNKNOWN: Final = Kind(
    name="unknown",
    topic=topics.EVENTS,
    matches=lambda _params: True,
    dedupe=content_hash,
    ordering=lambda request: request.params.get("AccountSid", ""),
)

KINDS: Final = (MESSAGE_RECEIVED, MESSAGE_STATUS, CALL_STATUS, CALL_RECEIVED)
"""All that are told by their parameters; at most one matches."""


def tell(params: Params, expected: Kind | None = None) -> Kind:
    """Give the kind of a webhook, trying `expected`, the one its route is for, first."""
    if expected is not None and expected.matches(params):
        return expected
    return next((kind for kind in KINDS if kind.matches(params)), UNKNOWN)


def dedupe_key(kind: Kind, request: Request) -> str:
    """Give the key under which duplicates of this event collapse."""
    return _bounded(f"{request.params.get('AccountSid', '')}:{kind.name}:{kind.dedupe(request)}")


def ordering_key(kind: Kind, request: Request) -> str:
    """Give the key within which events are handled in order."""
    return _bounded(kind.ordering(request))


def _bounded(key: str) -> str:
    return key if len(key) <= _MAX_KEY_LENGTH else f"sha256:{sha256(key.encode()).hexdigest()}"
