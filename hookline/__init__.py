"""Hookline: register a handler for each kind of Twilio webhook. Accepted webhooks are handled in order per conversation.

Import from here and from `hookline.testing`. The other packages (`hookline_*`) are internal and may change.
"""

from hookline_processor.api.context import CallNext, Context
from hookline_processor.api.errors import HandlersError
from hookline_processor.api.handlers import Handlers
from hookline_processor.api.state import State, StateKey
from hookline_processor.events.events import (
    CallReceived,
    CallStatus,
    ConversationEvent,
    DebuggerEvent,
    MessageReceived,
    MessageStatus,
    RecordingStatus,
    SendGridEvent,
    StreamEvent,
    StudioEvent,
    SyncEvent,
    TaskRouterEvent,
    Transcription,
    VerifyEvent,
)
from hookline_processor.events.webhook_event import WebhookEvent
from hookline_processor.retry import RetryPolicy
from hookline_processor.verdicts import Reject, RetryLater

__all__ = [
    "CallNext",
    "CallReceived",
    "CallStatus",
    "Context",
    "ConversationEvent",
    "DebuggerEvent",
    "Handlers",
    "HandlersError",
    "MessageReceived",
    "MessageStatus",
    "RecordingStatus",
    "Reject",
    "RetryLater",
    "RetryPolicy",
    "SendGridEvent",
    "State",
    "StateKey",
    "StreamEvent",
    "StudioEvent",
    "SyncEvent",
    "TaskRouterEvent",
    "Transcription",
    "VerifyEvent",
    "WebhookEvent",
]
