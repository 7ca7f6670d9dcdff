"""Hookline: register a handler for each kind of Twilio webhook. Accepted webhooks are handled in order per conversation.

Import from here and from `hookline.testing`. The other packages (`hookline_*`) are internal and may change. The classes of
events are those of the catalogue, `hookline_shared.catalogue.products`.
"""

from hookline_processor.api.context import CallNext, Context
from hookline_processor.api.errors import HandlersError
from hookline_processor.api.handlers import Handlers
from hookline_processor.api.state import State, StateKey
from hookline_processor.media.errors import MediaTooLargeError
from hookline_processor.replies.live_answer import Response
from hookline_processor.replies.message import Message, Reply, UnfitError
from hookline_processor.retry_policy import RetryPolicy
from hookline_processor.verdicts import Reject, RetryLater
from hookline_shared.catalogue.media import Media, MediaError
from hookline_shared.catalogue.products import (
    account,
    call_features,
    conversation_tools,
    conversations,
    devices,
    email,
    messaging,
    recordings,
    streams,
    sync,
    taskrouter,
    verify,
    video,
    voice,
)
from hookline_shared.catalogue.products.account import *
from hookline_shared.catalogue.products.call_features import *
from hookline_shared.catalogue.products.conversation_tools import *
from hookline_shared.catalogue.products.conversations import *
from hookline_shared.catalogue.products.devices import *
from hookline_shared.catalogue.products.email import *
from hookline_shared.catalogue.products.messaging import *
from hookline_shared.catalogue.products.recordings import *
from hookline_shared.catalogue.products.streams import *
from hookline_shared.catalogue.products.sync import *
from hookline_shared.catalogue.products.taskrouter import *
from hookline_shared.catalogue.products.verify import *
from hookline_shared.catalogue.products.video import *
from hookline_shared.catalogue.products.voice import *
from hookline_shared.catalogue.webhook_event import WebhookEvent

__all__ = [
    "CallNext",
    "Context",
    "Handlers",
    "HandlersError",
    "Media",
    "MediaError",
    "MediaTooLargeError",
    "Message",
    "Reject",
    "Reply",
    "Response",
    "RetryLater",
    "RetryPolicy",
    "State",
    "StateKey",
    "UnfitError",
    "WebhookEvent",
]
__all__ += account.__all__
__all__ += call_features.__all__
__all__ += conversation_tools.__all__
__all__ += conversations.__all__
__all__ += devices.__all__
__all__ += email.__all__
__all__ += messaging.__all__
__all__ += recordings.__all__
__all__ += streams.__all__
__all__ += sync.__all__
__all__ += taskrouter.__all__
__all__ += verify.__all__
__all__ += video.__all__
__all__ += voice.__all__
