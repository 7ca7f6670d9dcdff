"""Programmable Messaging: messages, their statuses, and clicks on shortened links."""

from collections.abc import Mapping
from itertools import count, takewhile
from pathlib import Path
from typing import Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Json, Number, Text
from hookline_shared.catalogue.kind import Condition, Key, Kind, Reply, Template, has, key
from hookline_shared.catalogue.media import MOST_MEDIA_BYTES, Media, fetch
from hookline_shared.catalogue.sids import Params
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.parsing.forms import MAX_FIELDS

__all__ = ["LinkClick", "MessageReceived", "MessageStatus"]

_INBOUND: Final = frozenset({"received", "receiving"})


class MessageReceived(WebhookEvent):
    """Somebody sent an SMS, MMS, WhatsApp or RCS message.

    `opt_out_type` is STOP, START or HELP if Twilio took the message for one of these. `referral` is what a WhatsApp user
    clicked on before.
    """

    kind = "message.received"
    message_sid = Text("MessageSid")
    messaging_service_sid = Text("MessagingServiceSid")
    from_ = Text("From")
    to = Text("To")
    body = Text("Body")
    num_media = Number("NumMedia", most=MAX_FIELDS)
    num_segments = Number("NumSegments")
    opt_out_type = Text("OptOutType")
    message_type = Text("MessageType")
    channel_metadata = Text("ChannelMetadata")
    channel_metadata_json = Json("ChannelMetadata")
    profile_name = Text("ProfileName")
    wa_id = Text("WaId")
    button_text = Text("ButtonText")
    button_payload = Text("ButtonPayload")
    list_id = Text("ListId")
    list_title = Text("ListTitle")
    list_description = Text("ListDescription")
    interactive_data = Text("InteractiveData")
    interactive_data_json = Json("InteractiveData")
    latitude = Text("Latitude")
    longitude = Text("Longitude")
    address = Text("Address")
    label = Text("Label")
    forwarded = Text("Forwarded")
    original_replied_message_sid = Text("OriginalRepliedMessageSid")
    original_replied_message_sender = Text("OriginalRepliedMessageSender")
    add_ons_json = Json("AddOns")

    @property
    def media(self) -> list[tuple[str, str]]:
        """URL and content type of each attachment."""
        numbers = takewhile(lambda number: f"MediaUrl{number}" in self.params, count())
        return [(self.params[f"MediaUrl{number}"], self.params.get(f"MediaContentType{number}", "")) for number in numbers]

    async def fetch_media(
        self, number: int = 0, *, path: Path | str | None = None, most_bytes: int = MOST_MEDIA_BYTES
    ) -> Media:
        """Fetch the attachment with `number`, from 0, into memory, or into the file `path`. Await it in an async handler.

        Raises:
            IndexError: if the message has no such attachment.
            MediaError: if it cannot be fetched: Twilio does not have it yet, or refuses the credentials.
            MediaTooLargeError: if it has more than `most_bytes` bytes. If not caught, the event becomes a dead letter.

        """
        if number >= len(self.media):
            raise IndexError(f"The message has {len(self.media)} attachments, so none with the number {number}.")
        return await fetch(self.media[number][0], self.account_sid, path, most_bytes)

    @property
    def referral(self) -> Mapping[str, str]:
        """What a WhatsApp user came from, such as an advertisement: the parameters Referral…, without this word."""
        return {name[8:]: value for name, value in self.params.items() if name.startswith("Referral") and name != "Referral"}


class MessageStatus(WebhookEvent):
    """A message that you sent has a new status."""

    kind = "message.status"
    message_sid = Text("MessageSid")
    message_status = Text("MessageStatus")
    from_ = Text("From")
    to = Text("To")
    messaging_service_sid = Text("MessagingServiceSid")
    error_code = Text("ErrorCode")
    error_message = Text("ErrorMessage")
    event_type = Text("EventType")
    channel_prefix = Text("ChannelPrefix")
    channel_status_message = Text("ChannelStatusMessage")
    raw_dlr_done_date = Text("RawDlrDoneDate")


class LinkClick(WebhookEvent):
    """Somebody followed a shortened link in a message that you sent."""

    kind = "link_click"
    message_sid = Text("message_sid")
    sms_sid = Text("sms_sid")
    messaging_service_sid = Text("messaging_service_sid")
    from_ = Text("from")
    to = Text("to")
    event_type = Text("event_type")
    link = Text("link")
    click_time = Text("click_time")
    user_agent = Text("user_agent")


def _is_message_received(params: Params) -> bool:
    get = params.get
    return (
        (get("MessageStatus") or get("SmsStatus") or "received") in _INBOUND
        and bool(get("MessageSid") or get("SmsSid"))
        and ("Body" in params or "NumMedia" in params)
        and bool(get("From"))
        and not _is_of_chat_or_call(params)
    )


def _is_message_status(params: Params) -> bool:
    get = params.get
    return (
        (get("MessageStatus") or get("SmsStatus") or "received") not in _INBOUND
        and bool(get("MessageSid") or get("SmsSid"))
        and not _is_of_chat_or_call(params)
    )


def _is_of_chat_or_call(params: Params) -> bool:
    """Whether it is about a chat, whose messages have a SID and a body as well, or the step of a call after `<Sms>`."""
    get = params.get
    return bool(get("ConversationSid") or get("ChannelSid") or get("InstanceSid") or get("CallStatus"))


def _sender_and_recipient(params: Params) -> str:
    return f"{params.get('From', '')}:{params.get('To', '')}"


MESSAGE_RECEIVED: Final = Kind(
    name="message.received",
    topic=topics.MESSAGES,
    condition=Condition(
        _is_message_received,
        "`MessageSid` or `SmsSid`, `From`, `Body` or `NumMedia`, status `received` or none, no `CallStatus`",
        (("MessageSid", "SmsSid"), ("From",)),
    ),
    dedupe=key("MessageSid|SmsSid"),
    ordering=Key(_sender_and_recipient, "`From`, `To`", numbers=True),
    event=MessageReceived,
    reply=Reply.TWIML,
    sender="From",
    source="https://www.twilio.com/docs/messaging/guides/webhook-request",
    sample=Template(
        {
            "ToCountry": "US",
            "ToState": "CA",
            "SmsMessageSid": "<MessageSid>",
            "NumMedia": "0",
            "ToCity": "SAN FRANCISCO",
            "FromZip": "94107",
            "SmsSid": "<MessageSid>",
            "FromState": "CA",
            "SmsStatus": "received",
            "FromCity": "OAKLAND",
            "Body": "Hello",
            "FromCountry": "US",
            "To": "+15005550001",
            "MessagingServiceSid": "MG00000000000000000000000000000001",
            "ToZip": "94105",
            "NumSegments": "1",
            "MessageSid": "SM*",
            "AccountSid": "AC00000000000000000000000000000001",
            "From": "+15005550006",
            "ApiVersion": "2010-04-01",
        },
        short="message",
        path="/twilio/message",
        sender="From",
    ),
)
MESSAGE_STATUS: Final = Kind(
    name="message.status",
    topic=topics.STATUSES,
    condition=Condition(
        _is_message_status,
        "`MessageSid` or `SmsSid`, `MessageStatus` or `SmsStatus` other than `received`, no `CallStatus`",
        (("MessageSid", "SmsSid"), ("MessageStatus", "SmsStatus")),
    ),
    dedupe=key("MessageSid|SmsSid", "MessageStatus|SmsStatus", "EventType?"),
    ordering=key("MessageSid|SmsSid"),
    event=MessageStatus,
    source="https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks",
    sample=Template(
        {
            "SmsSid": "<MessageSid>",
            "SmsStatus": "<MessageStatus>",
            "MessageStatus": "delivered",
            "To": "+15005550006",
            "MessageSid": "SM*",
            "AccountSid": "AC00000000000000000000000000000001",
            "From": "+15005550001",
            "ApiVersion": "2010-04-01",
        },
        short="status",
        path="/twilio/status",
        sender="From",
    ),
)
LINK_CLICK: Final = Kind(
    name="link_click",
    topic=topics.STATUSES,
    condition=has("link", "message_sid|sms_sid", "click_time|event_type"),
    dedupe=key("message_sid|sms_sid", "link", "click_time"),
    ordering=key("message_sid|sms_sid"),
    event=LinkClick,
    source="https://www.twilio.com/docs/messaging/features/link-shortening",
    sample=Template(
        {
            "event_type": "click",
            "account_sid": "AC00000000000000000000000000000001",
            "message_sid": "SM*",
            "sms_sid": "<message_sid>",
            "messaging_service_sid": "MG00000000000000000000000000000001",
            "from": "+15005550001",
            "to": "+15005550006",
            "link": "https://example.com/sale?ref=sms",
            "click_time": "2025-06-19T15:00:00.000Z",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        },
        short="link-click",
        sender="to",
        as_json=True,
    ),
)
KINDS: Final = (MESSAGE_RECEIVED, MESSAGE_STATUS, LINK_CLICK)
