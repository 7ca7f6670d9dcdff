"""The service that runs the user's handler for every accepted webhook.

Users import from here, and from nowhere deeper.
"""

from processor.events import CallReceived, CallStatus, MessageReceived, MessageStatus, WebhookEvent
from processor.handlers import Context, Handlers
from processor.retry import RetryPolicy
from processor.verdict import Reject, RetryLater

__all__ = [
    "CallReceived",
    "CallStatus",
    "Context",
    "Handlers",
    "MessageReceived",
    "MessageStatus",
    "Reject",
    "RetryLater",
    "RetryPolicy",
    "WebhookEvent",
]
