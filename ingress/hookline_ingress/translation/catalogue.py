"""The kinds of webhooks Twilio sends: how each is told, its dedupe key and its ordering key. Pure.

Sources: Twilio's references of the webhook parameters of each product. Dedupe keys begin with the account and the kind, so that
neither two kinds nor two accounts can ever collide. Where Twilio sent none of what should identify an event, a hash of its
content does; an overlong key is replaced by its hash.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import msgspec

from hookline_ingress.translation.content import Params, account_of
from hookline_shared import topics
from hookline_shared.forms import Form

_MAX_KEY_LENGTH: Final = 200
_NOT_CONTENT: Final = frozenset({"ErrorCode", "ErrorUrl", "RetryCount"})
"""Parameters that Twilio adds when it calls again: the same event has them or not."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SYNC_SIDS: Final = ("DocumentSid", "ListSid", "MapSid", "StreamSid")
_SYNC_REVISIONS: Final = ("EventId", "DocumentRevision", "ItemRevision", "Revision", "StreamMessageSid", "MessageSid")


class KeyFields(msgspec.Struct, frozen=True, gc=False):
    """What the keys of an event are made of. `path` is raw and without the query; the rest is as in
    `hookline_ingress.translation.content.Content`."""

    path: str
    params: Params
    form: Form
    rest: bytes


@dataclass(frozen=True)
class Kind:
    """One kind of webhook, or a family of them.

    `dedupe` and `ordering` give what identifies an event and its neighbours, empty if its parameters do not tell. `event_type`
    gives Twilio's name for what happened, in a family; `sender` whom the event comes from, where one person can send too many.
    """

    name: str
    topic: str
    matches: Callable[[Params], bool]
    dedupe: Callable[[KeyFields], str]
    ordering: Callable[[KeyFields], str]
    event_type: Callable[[Params], str] | None = None
    sender: Callable[[Params], str] | None = None

    def name_of(self, params: Params) -> str:
        """Return the kind's whole name for an event with `params`."""
        if self.event_type is None:
            return self.name
        what = self.event_type(params)
        return f"{self.name}.{what if _PLAIN.fullmatch(what) else 'other'}"


def content_hash(facts: KeyFields) -> str:
    """Return a hash of the content, parameters in any order, without what differs between two deliveries of one event."""
    digest = sha256(facts.rest)
    for name, value in sorted(facts.form.pairs):
        if name not in _NOT_CONTENT:
            digest.update(f"{len(name)}:{name}{len(value)}:{value}".encode())
    return digest.hexdigest()[:32]


def _message_sid(params: Params) -> str:
    return params.get("MessageSid") or params.get("SmsSid", "")


def _is_message_status(params: Params) -> bool:
    is_status = params.get("MessageStatus", "received") != "received"
    return is_status and bool(_message_sid(params)) and "ConversationSid" not in params


def _is_message_received(params: Params) -> bool:
    has_content = "Body" in params or "NumMedia" in params
    is_status = params.get("MessageStatus", "received") != "received"
    return has_content and not is_status and bool(_message_sid(params)) and "ConversationSid" not in params


def _is_transcription(params: Params) -> bool:
    return "TranscriptionSid" in params and ("TranscriptionStatus" in params or "TranscriptionEvent" in params)


def _is_recording(params: Params) -> bool:
    return "RecordingSid" in params and "RecordingStatus" in params


def _is_call_status(params: Params) -> bool:
    return bool(params.get("CallSid")) and params.get("CallbackSource") == "call-progress-events"


def _is_call_received(params: Params) -> bool:
    return bool(params.get("CallSid")) and "CallStatus" in params


def _is_sync(params: Params) -> bool:
    return "EventType" in params and "CallSid" not in params and any(name in params for name in _SYNC_SIDS)


def _message_status_facts(facts: KeyFields) -> str:
    params = facts.params
    return _joined(_message_sid(params), params.get("MessageStatus", ""), params.get("EventType", ""))


def _call_received_facts(facts: KeyFields) -> str:
    return _joined(facts.params.get("CallSid", ""), facts.path, content_hash(facts))


def _call_status_facts(facts: KeyFields) -> str:
    params = facts.params
    return _joined(params.get("CallSid", ""), params.get("SequenceNumber") or params.get("CallStatus", ""))


def _transcription_facts(facts: KeyFields) -> str:
    names = ("TranscriptionSid", "TranscriptionStatus", "TranscriptionEvent", "SequenceId")
    return _joined(*(facts.params.get(name, "") for name in names))


def _conversation_facts(facts: KeyFields) -> str:
    """Name the resource that changed and when.

    Otherwise the content has to do: of a change that is yet to be allowed (onMessageUpdate, not onMessageUpdated), whose date
    is at best that of the change before; and of one without a date of its own.
    """
    params = facts.params
    what = params.get("EventType", "")
    when = params.get("DateUpdated") or (params.get("DateCreated", "") if what.endswith("Added") else "")
    if not when or not what.endswith("ed"):
        return ""
    resources = ("DeliveryReceiptSid", "MessageSid", "ParticipantSid", "ConversationSid")
    resource = next((params[name] for name in resources if params.get(name)), "")
    return _joined(what, resource, when, params.get("Status", ""))


def _taskrouter_facts(facts: KeyFields) -> str:
    params = facts.params
    when = params.get("TimestampMs") or params.get("Timestamp", "")
    return _joined(params.get("EventType", ""), params.get("ResourceSid", ""), when) if when else ""


def _sync_facts(facts: KeyFields) -> str:
    params = facts.params
    revision = next((params[name] for name in _SYNC_REVISIONS if params.get(name)), "")
    place = params.get("ItemIndex") or params.get("ItemKey", "")
    return _joined(_sync_sid(params), params.get("EventType", ""), place, revision) if revision else ""


def _sync_sid(params: Params) -> str:
    return next((params[name] for name in _SYNC_SIDS if params.get(name)), "")


def _joined(first: str, *others: str) -> str:
    """Join the parts of a key; without the first one, which identifies the resource, there is none."""
    return ":".join((first, *others)) if first else ""


MESSAGE_RECEIVED: Final = Kind(
    name="message.received",
    topic=topics.MESSAGES,
    matches=_is_message_received,
    dedupe=lambda facts: _message_sid(facts.params),
    ordering=lambda facts: f"{facts.params.get('From', '')}:{facts.params.get('To', '')}",
    sender=lambda params: params.get("From", ""),
)
MESSAGE_STATUS: Final = Kind(
    name="message.status",
    topic=topics.STATUSES,
    matches=_is_message_status,
    dedupe=_message_status_facts,
    ordering=lambda facts: _message_sid(facts.params),
)
CONVERSATION: Final = Kind(
    name="conversation",
    topic=topics.CONVERSATIONS,
    matches=lambda params: "ConversationSid" in params and "EventType" in params,
    dedupe=_conversation_facts,
    ordering=lambda facts: facts.params.get("ConversationSid", ""),
    event_type=lambda params: params.get("EventType", ""),
)
TRANSCRIPTION: Final = Kind(
    name="transcription",
    topic=topics.STATUSES,
    matches=_is_transcription,
    dedupe=_transcription_facts,
    ordering=lambda facts: facts.params.get("CallSid") or facts.params.get("TranscriptionSid", ""),
)
RECORDING_STATUS: Final = Kind(
    name="recording.status",
    topic=topics.STATUSES,
    matches=_is_recording,
    dedupe=lambda facts: _joined(facts.params.get("RecordingSid", ""), facts.params.get("RecordingStatus", "")),
    ordering=lambda facts: facts.params.get("CallSid") or facts.params.get("RecordingSid", ""),
)
CALL_STATUS: Final = Kind(
    name="call.status",
    topic=topics.STATUSES,
    matches=_is_call_status,
    dedupe=_call_status_facts,
    ordering=lambda facts: facts.params.get("CallSid", ""),
)
CALL_RECEIVED: Final = Kind(
    name="call.received",
    topic=topics.CALLS,
    matches=_is_call_received,
    dedupe=_call_received_facts,
    ordering=lambda facts: facts.params.get("CallSid", ""),
    sender=lambda params: params.get("From", ""),
)
TASKROUTER: Final = Kind(
    name="taskrouter",
    topic=topics.EVENTS,
    matches=lambda params: "EventType" in params and "ResourceSid" in params,
    dedupe=_taskrouter_facts,
    ordering=lambda facts: facts.params.get("ResourceSid", ""),
    event_type=lambda params: params.get("EventType", ""),
)
SYNC: Final = Kind(
    name="sync",
    topic=topics.EVENTS,
    matches=_is_sync,
    dedupe=_sync_facts,
    ordering=lambda facts: _sync_sid(facts.params),
    event_type=lambda params: params.get("EventType", ""),
)
VERIFY: Final = Kind(
    name="verify",
    topic=topics.EVENTS,
    matches=lambda params: "uuid" in params and "type" in params,
    dedupe=lambda facts: facts.params.get("uuid", ""),
    ordering=lambda facts: facts.params.get("factor_sid", ""),
    event_type=lambda params: params.get("type", ""),
)
DEBUGGER: Final = Kind(
    name="debugger",
    topic=topics.EVENTS,
    matches=lambda params: "Level" in params and "PayloadType" in params and "Payload" in params,
    dedupe=lambda facts: facts.params.get("Sid", ""),
    ordering=lambda facts: account_of(facts.params),
    event_type=lambda params: params.get("Level", "").lower(),
)
STUDIO: Final = Kind(
    name="studio",
    topic=topics.EVENTS,
    matches=lambda params: "ExecutionSid" in params or "FlowSid" in params,
    dedupe=content_hash,
    ordering=lambda facts: facts.params.get("ExecutionSid") or content_hash(facts),
)
EVENT_STREAM: Final = Kind(
    name="event.stream",
    topic=topics.EVENTS,
    matches=lambda params: "specversion" in params and "id" in params and "type" in params,
    dedupe=lambda facts: facts.params.get("id", ""),
    ordering=lambda facts: facts.params.get("source", ""),
)
SENDGRID_EVENT: Final = Kind(
    name="sendgrid.event",
    topic=topics.EVENTS,
    matches=lambda params: "sg_event_id" in params,
    dedupe=lambda facts: facts.params.get("sg_event_id", ""),
    ordering=lambda facts: facts.params.get("sg_message_id") or facts.params.get("email", ""),
)
UNKNOWN: Final = Kind(
    name="unknown",
    topic=topics.EVENTS,
    matches=lambda _params: False,
    dedupe=content_hash,
    ordering=lambda facts: account_of(facts.params),
)

CLASSIFIED: Final = (
    MESSAGE_RECEIVED,
    MESSAGE_STATUS,
    CONVERSATION,
    TRANSCRIPTION,
    RECORDING_STATUS,
    CALL_STATUS,
    CALL_RECEIVED,
    TASKROUTER,
    SYNC,
    VERIFY,
    DEBUGGER,
    STUDIO,
)
"""All that are told by their parameters, the first that matches: a transcription, for one, has the parameters of its call,
too."""
KINDS: Final = {kind.name: kind for kind in (*CLASSIFIED, EVENT_STREAM, SENDGRID_EVENT, UNKNOWN)}


def classify(params: Params, expected: Kind | None = None) -> Kind:
    """Return the kind of a webhook: what its parameters tell, else `expected`, the one its route is for."""
    for kind in CLASSIFIED:
        if kind.matches(params):
            return kind
    return expected or UNKNOWN


def dedupe_key(kind: Kind, name: str, facts: KeyFields) -> str:
    """Return the key under which duplicates of an event of `kind` collapse; `name` is the kind's whole name."""
    return _bounded(f"{account_of(facts.params)}:{name}:{kind.dedupe(facts) or content_hash(facts)}")


def ordering_key(kind: Kind, facts: KeyFields) -> str:
    """Return the key within which events are handled in order."""
    return _bounded(kind.ordering(facts) or account_of(facts.params))


def _bounded(key: str) -> str:
    return key if len(key) <= _MAX_KEY_LENGTH else f"sha256:{sha256(key.encode()).hexdigest()}"
