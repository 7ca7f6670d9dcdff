"""Conversations, and Programmable Chat, which came before it."""

from collections.abc import Mapping
from typing import Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Json, Number, Text
from hookline_shared.catalogue.kind import CONTENT, Condition, Key, Kind, Template, has, joined, key
from hookline_shared.catalogue.sids import Params
from hookline_shared.catalogue.webhook_event import WebhookEvent

__all__ = ["ChatEvent", "ConversationEvent"]

_ACCOUNT: Final = "AC00000000000000000000000000000001"
_HAPPENED_AT: Final = "2025-06-19T15:00:00.611Z"


_STATES: Final = ("StateUpdated", "LastReadMessageIndex", "IsOnline", "IsNotifiable")
"""What can change without a new date, beside the status of a delivery."""


class ConversationEvent(WebhookEvent):
    """Something happened in a conversation of Twilio Conversations. `event_type` says what, for example onMessageAdded.

    `media` and `attributes` are JSON. `index` is the message's number in its conversation, from 0. Events of users, and
    onConversationAdd, have no `conversation_sid`.
    """

    kind = "conversation.*"
    event_type = Text("EventType")
    conversation_sid = Text("ConversationSid")
    chat_service_sid = Text("ChatServiceSid")
    messaging_service_sid = Text("MessagingServiceSid")
    message_sid = Text("MessageSid")
    index = Number("Index")
    author = Text("Author")
    body = Text("Body")
    media = Text("Media")
    media_json = Json("Media")
    attributes = Text("Attributes")
    attributes_json = Json("Attributes")
    participant_sid = Text("ParticipantSid")
    identity = Text("Identity")
    client_identity = Text("ClientIdentity")
    user_sid = Text("UserSid")
    role_sid = Text("RoleSid")
    source = Text("Source")
    delivery_receipt_sid = Text("DeliveryReceiptSid")
    channel_message_sid = Text("ChannelMessageSid")
    status = Text("Status")
    error_code = Text("ErrorCode")
    friendly_name = Text("FriendlyName")
    unique_name = Text("UniqueName")
    state = Text("State")
    state_from = Text("StateFrom")
    state_to = Text("StateTo")
    state_updated = Text("StateUpdated")
    reason = Text("Reason")
    last_read_message_index = Number("LastReadMessageIndex")
    date_created = Text("DateCreated")
    date_updated = Text("DateUpdated")

    @property
    def messaging_binding(self) -> Mapping[str, str]:
        """The addresses of a participant who writes by SMS or WhatsApp: type, address, proxy_address; empty for others."""
        names = {"type": "Type", "address": "Address", "proxy_address": "ProxyAddress"}
        found = {field: self.params.get(f"MessagingBinding.{name}", "") for field, name in names.items()}
        return found if any(found.values()) else {}


class ChatEvent(WebhookEvent):
    """Something happened in a channel of Programmable Chat. `event_type` says what, for example onMessageSent."""

    kind = "chat.*"
    event_type = Text("EventType")
    instance_sid = Text("InstanceSid")
    channel_sid = Text("ChannelSid")
    message_sid = Text("MessageSid")
    index = Number("Index")
    from_ = Text("From")
    body = Text("Body")
    attributes = Text("Attributes")
    attributes_json = Json("Attributes")
    member_sid = Text("MemberSid")
    identity = Text("Identity")
    user_sid = Text("UserSid")
    friendly_name = Text("FriendlyName")
    unique_name = Text("UniqueName")
    date_created = Text("DateCreated")
    date_updated = Text("DateUpdated")


def _conversation_key(params: Params) -> str:
    """Return the resource that changed and the time of the change; empty if the content has to identify the event.

    That is so for a change that is yet to be allowed (onMessageUpdate, not onMessageUpdated), which has the date of the change
    before it or none, and for a change without a date of its own.
    """
    what = params.get("EventType", "")
    when = params.get("DateUpdated") or (params.get("DateCreated", "") if what.endswith("Added") else "")
    if not when or not what.endswith("ed"):
        return ""
    resources = ("DeliveryReceiptSid", "MessageSid", "ParticipantSid", "ConversationSid", "UserSid")
    resource = next((params[name] for name in resources if params.get(name)), "")
    if not resource:
        return ""
    states = [params.get(name, "") for name in _STATES]
    return joined(what, resource, when, params.get("Status", ""), *(states if any(states) else ()))


def _is_conversation(params: Params) -> bool:
    what = params.get("EventType", "")
    if not what or "InstanceSid" in params or "ChannelSid" in params:
        return False
    return "ConversationSid" in params or what.startswith(("onConversation", "onUser"))


CHAT: Final = Kind(
    name="chat",
    topic=topics.CONVERSATIONS,
    condition=has("EventType", "InstanceSid|ChannelSid", also="on"),
    event_type=key("EventType"),
    dedupe=CONTENT,
    ordering=key("ChannelSid|UserSid"),
    event=ChatEvent,
    source="https://www.twilio.com/docs/chat/webhook-events",
    sample=Template(
        {
            "EventType": "<event>",
            "AccountSid": _ACCOUNT,
            "InstanceSid": "IS00000000000000000000000000000001",
            "ChannelSid": "CH*",
            "MessageSid": "IM*",
            "Index": "7",
            "From": "zoe",
            "Body": "Hello",
            "Attributes": "{}",
            "DateCreated": _HAPPENED_AT,
        },
        short="chat",
        path="/twilio/conversation",
        event="onMessageSent",
        sender="From",
    ),
)
CONVERSATION: Final = Kind(
    name="conversation",
    topic=topics.CONVERSATIONS,
    condition=Condition(
        _is_conversation,
        "`EventType`; `ConversationSid` or `EventType=onConversation…` or `onUser…`; no `InstanceSid`, no `ChannelSid`",
        (("EventType",),),
    ),
    event_type=key("EventType"),
    dedupe=Key(
        _conversation_key,
        "`EventType`, SID of the resource, time of the change, `Status`, what else changed; without a time: content",
    ),
    ordering=key("ConversationSid|UserSid"),
    event=ConversationEvent,
    source="https://www.twilio.com/docs/conversations/conversations-webhooks",
    sample=Template(
        {
            "MessagingServiceSid": "MG00000000000000000000000000000001",
            "EventType": "<event>",
            "RetryCount": "0",
            "Attributes": "{}",
            "DateCreated": _HAPPENED_AT,
            "Index": "7",
            "MessageSid": "IM*",
            "Body": "Hello",
            "Author": "+15005550006",
            "ChatServiceSid": "IS00000000000000000000000000000001",
            "AccountSid": _ACCOUNT,
            "Source": "SMS",
            "ConversationSid": "CH*",
            "ParticipantSid": "MB*",
        },
        short="conversation",
        path="/twilio/conversation",
        event="onMessageAdded",
        sender="Author",
    ),
)
KINDS: Final = (CHAT, CONVERSATION)
