"""From an event and its outcome to rows of the tables. Pure.

Every text fits its column: without NUL, which PostgreSQL refuses, and not too long.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from hookline_processor.events.events import typed
from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_processor.ledger.entry import SettledEvent
from hookline_processor.ledger.rows.addresses import normalise
from hookline_processor.ledger.rows.privacy import text_for_policy, value_for_policy
from hookline_processor.ledger.rows.status_order import call_rank, message_rank
from hookline_shared.catalogue.sids import resource_of
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.observability.redaction import redact_quotes
from hookline_shared.parsing.json_body import decode_json

Row = dict[str, Any]

_ID, _KIND, _TOPIC, _KEY, _SID, _STATUS, _REASON, _ERROR, _ERROR_CODE = 128, 100, 64, 512, 64, 40, 20, 2000, 20
_MAX_TIME: Final = 2**63 - 1
_MAX_DURATION: Final = 2**31 - 1
_MAX_MEDIA: Final = 10  # the limit of Twilio for one message
_MAX_DEPTH: Final = 100
_NULS: Final = (b"\0", b"%00")
_TOO_DEEP: Final = "(nested too deeply to be kept)"

_OWN_SIDS: Final = (
    "RecordingSid",
    "TranscriptionSid",
    "MessageSid",
    "SmsSid",
    "CallSid",
    "ReservationSid",
    "ResourceSid",
    "ExecutionSid",
    "ParticipantSid",
    "ConversationSid",
    "DocumentSid",
    "ListSid",
    "MapSid",
    "StreamSid",
    "Sid",
    "challenge_sid",
    "factor_sid",
    "sg_message_id",
    "id",
)
"""Parameters with the SID of the subject of an event, the most specific first."""
_PARENT_SIDS: Final = ("CallSid", "ConferenceSid", "ConversationSid", "TaskSid", "FlowSid")
_STATUSES: Final = (
    "MessageStatus",
    "SmsStatus",
    "RecordingStatus",
    "TranscriptionStatus",
    "CallStatus",
    "DeliveryStatus",
    "Status",
    "event",
)
_ACCEPTED: Final = "queued"
"""The first status of a message that Twilio has: it calls back only for the next ones."""
_SENDERS: Final = ("From", "Caller", "Author", "MessagingBinding.Address")
_RECIPIENTS: Final = ("To", "Called", "MessagingBinding.ProxyAddress", "email")

_MESSAGES: Final = frozenset(
    {
        "message.received",
        "message.status",
        "conversation.onMessageAdded",
        "conversation.onMessageUpdated",
        "conversation.onDeliveryUpdated",
    }
)
_CALLS: Final = frozenset({"call.received", "call.status"})
_INBOUND: Final = frozenset({"received", "receiving"})
_INBOUND_SOURCES: Final = frozenset({"sms", "whatsapp", "messenger"})


class Rows(NamedTuple):
    """The rows of one event. `message` and `call` are merged with rows of other events."""

    event: Row
    message: Row | None = None
    call: Row | None = None


def rows_of(settled: SettledEvent, policy: BodyPolicy) -> Rows:
    """Return the rows of a settled event. `policy` is what is stored of its content."""
    event = typed(settled.event)
    params = _parameters(event)
    subject = _subject_of(params)
    if settled.sid:
        subject = subject._replace(sid=_fit(settled.sid, _SID), status=_ACCEPTED)
    row = _event_row(settled, subject) | {
        "error": _error(settled, event, policy),
        "params": value_for_policy(_content(event), policy),
    }
    kind, seen_at = settled.event.kind, row["received_at"]
    if settled.sid:
        return Rows(row, message=_message_row(settled.sid, subject, params, row["account"], settled.settled_at, policy))
    if kind in _MESSAGES and (sid := _first(params, ("MessageSid", "SmsSid"))):
        return Rows(row, message=_message_row(sid, subject, params, row["account"], seen_at, policy))
    if kind in _CALLS and (sid := params.get("CallSid", "")):
        return Rows(row, call=_call_row(sid, subject, params, row["account"], seen_at))
    return Rows(row)


def bare_rows_of(settled: SettledEvent) -> Rows:
    """Return the rows of an event whose content cannot be converted to rows."""
    return Rows(bare(_event_row(settled, _Subject(None, None, None, None, None))))


def bare(row: Row) -> Row:
    """Return `row` without the values chosen by senders, for an event that cannot be stored unchanged."""
    return {name: None if name in _FROM_SENDERS else value for name, value in row.items()} | {
        "key": "",
        "params": None,
        "error": "the rest of this event could not be stored",
    }


_FROM_SENDERS: Final = frozenset({"sid", "parent_sid", "sender", "recipient", "status", "params"})


class _Subject(NamedTuple):
    """The parties, SIDs and status of an event, cut to fit their columns."""

    sid: str | None
    parent_sid: str | None
    sender: str | None
    recipient: str | None
    status: str | None


def _subject_of(params: Mapping[str, str]) -> _Subject:
    sid = _first(params, _OWN_SIDS) or resource_of(params)
    parent = next((params[name] for name in _PARENT_SIDS if params.get(name) not in (None, "", sid)), "")
    return _Subject(
        sid=_fit(sid, _SID),
        parent_sid=_fit(parent, _SID),
        sender=_fit(normalise(_first(params, _SENDERS)), None),
        recipient=_fit(normalise(_first(params, _RECIPIENTS)), None),
        status=_fit(_first(params, _STATUSES).lower(), _STATUS),
    )


def _event_row(settled: SettledEvent, subject: _Subject) -> Row:
    event = settled.event
    return {
        "id": _fit(event.id, _ID) or "",
        "kind": _fit(event.kind, _KIND) or "",
        "topic": _fit(settled.topic, _TOPIC) or "",
        "key": _fit(event.key, _KEY) or "",
        "account": _fit(event.account, _SID) or "",
        "received_at": min(max(event.received_at, 0), _MAX_TIME),
        "settled_at": settled.settled_at,
        "outcome": settled.outcome,
        "attempts": settled.attempts,
        "reason": _fit(settled.reason, _REASON),
        **subject._asdict(),
    }


def _error(settled: SettledEvent, event: WebhookEvent, policy: BodyPolicy) -> str | None:
    """Return the error text. Unless bodies are kept, quotations of them are redacted."""
    text = settled.error if policy is BodyPolicy.KEEP or not settled.error else redact_quotes(settled.error, event.personal)
    return _fit(text, _ERROR)


def _message_row(sid: str, subject: _Subject, params: Mapping[str, str], account: str, seen_at: int, policy: BodyPolicy) -> Row:
    inbound = subject.status in _INBOUND or params.get("Source", "").lower() in _INBOUND_SOURCES
    return _status_row(sid, subject, params, account, seen_at, message_rank(subject.status or "")) | {
        "direction": "inbound" if inbound else "outbound",
        "body": text_for_policy(_cleaned(params.get("Body") or None), policy),
        "media": value_for_policy(_media(params), policy),
    }


def _call_row(sid: str, subject: _Subject, params: Mapping[str, str], account: str, seen_at: int) -> Row:
    status = params.get("CallStatus", "").lower()
    duration = params.get("CallDuration", "")
    subject = subject._replace(status=_fit(status, _STATUS))
    return _status_row(sid, subject, params, account, seen_at, call_rank(status)) | {
        "direction": _fit(params.get("Direction", ""), _STATUS),
        "duration": min(int(duration), _MAX_DURATION) if duration.isdecimal() else None,
    }


def _status_row(sid: str, subject: _Subject, params: Mapping[str, str], account: str, seen_at: int, rank: int) -> Row:
    return {
        "sid": _fit(sid, _SID),
        "account": account or None,
        "sender": subject.sender,
        "recipient": subject.recipient,
        "status": subject.status,
        "status_rank": rank,
        "status_at": seen_at,
        "error_code": _fit(params.get("ErrorCode", ""), _ERROR_CODE),
        "timeline": {subject.status: seen_at} if subject.status else {},
        "first_at": seen_at,
        "last_at": seen_at,
    }


def _media(params: Mapping[str, str]) -> list[dict[str, str]] | None:
    sent = decode_json(params.get("MediaUrl", "").encode())
    if isinstance(sent, list):  # of a message of ours, which has no types
        return _cleaned([{"url": str(url), "type": ""} for url in sent]) or None
    number = params.get("NumMedia", "")
    numbers = range(min(int(number), _MAX_MEDIA)) if number.isdecimal() else range(0)
    found = ((params.get(f"MediaUrl{at}", ""), params.get(f"MediaContentType{at}", "")) for at in numbers)
    media: list[dict[str, str]] = _cleaned([{"url": url, "type": content_type} for url, content_type in found])
    return media or None


def _parameters(event: WebhookEvent) -> Mapping[str, str]:
    try:
        return event.params
    except ValueError:
        return {}  # the event is a dead letter for this reason, which has the bytes


def _content(event: WebhookEvent) -> Any:
    """Return the sent parameters or JSON body as a JSON value, without NUL."""
    if event.json is not None:
        return _cleaned(event.json)
    params = dict(_parameters(event))
    suspect = any(nul in event.raw.body or nul in event.raw.target.encode() for nul in _NULS)
    return _cleaned(params) if suspect else params


def _first(params: Mapping[str, str], names: Sequence[str]) -> str:
    return next((value for name in names if (value := params.get(name))), "")


def _fit(text: str, limit: int | None) -> str | None:
    """Return `text` cut to `limit` characters and without NUL, or None if it is empty."""
    return text[:limit].replace("\0", "\ufffd") or None


def _cleaned(value: Any, depth: int = 0) -> Any:
    """Return a JSON value without NUL, and without parts that are nested too deeply for a database."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd") if "\0" in value else value
    if depth > _MAX_DEPTH and isinstance(value, dict | list):
        return _TOO_DEEP
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(member, depth + 1) for name, member in value.items()}
    if isinstance(value, list):
        return [_cleaned(item, depth + 1) for item in value]
    return value


def chunks(rows: Sequence[Row], size: int) -> list[list[Row]]:
    """Return `rows` in lists of at most `size` rows."""
    remaining = iter(rows)
    return list(iter(lambda: list(islice(remaining, size)), []))
