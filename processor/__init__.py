"""The service that runs the user's handler for every accepted webhook.

Users import from here, and from nowhere deeper.
"""

from processor.events import (
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
from processor.handlers import CallNext, Context, Handlers
from processor.retry import RetryPolicy
from processor.verdict import Reject, RetryLater
from processor.webhook_event import WebhookEvent

__all__ = [
    "CallNext",
    "CallReceived",
    "CallStatus",
    "Context",
    "ConversationEvent",
    "DebuggerEvent",
    "Handlers",
    "MessageReceived",
    "MessageStatus",
    "RecordingStatus",
    "Reject",
    "RetryLater",
    "RetryPolicy",
    "SendGridEvent",
    "StreamEvent",
    "StudioEvent",
    "SyncEvent",
    "TaskRouterEvent",
    "Transcription",
    "VerifyEvent",
    "WebhookEvent",
]
