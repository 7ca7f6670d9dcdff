"""SendGrid: what happened to e-mails that you sent, and e-mails that came in."""

import re
from hashlib import sha256
from typing import Final

import msgspec

from hookline_shared import topics
from hookline_shared.catalogue.fields import Json, Number, Text
from hookline_shared.catalogue.kind import Key, Kind, Template, has, joined, key
from hookline_shared.catalogue.sids import Params
from hookline_shared.catalogue.webhook_event import WebhookEvent

__all__ = ["EmailReceived", "SendGridEvent"]

_MESSAGE_ID: Final = re.compile(r"^message-id:[ \t]*(?:\r?\n[ \t]+)?(\S{1,200})", re.IGNORECASE | re.MULTILINE)
"""A header may go on in the next line, which then begins with a space."""


class SendGridEvent(WebhookEvent):
    """An e-mail has a new status. `event` is the status, for example delivered. `timestamp` is Unix time in seconds."""

    kind = "sendgrid.event"
    sg_event_id = Text("sg_event_id")
    sg_message_id = Text("sg_message_id")
    event = Text("event")
    email = Text("email")
    timestamp = Number("timestamp")
    attempt = Number("attempt")
    reason = Text("reason")
    response = Text("response")
    status = Text("status")
    type = Text("type")
    bounce_classification = Text("bounce_classification")
    url = Text("url")
    useragent = Text("useragent")
    ip = Text("ip")
    asm_group_id = Number("asm_group_id")
    sg_machine_open = Text("sg_machine_open")

    @property
    def category(self) -> list[str]:
        """The categories that you gave the e-mail."""
        value = self.json.get("category") if isinstance(self.json, dict) else None
        return [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []


class EmailReceived(WebhookEvent):
    """SendGrid's Inbound Parse received an e-mail. Its files are in `raw.body` only; `envelope` is JSON."""

    kind = "email.received"
    from_ = Text("from")
    to = Text("to")
    cc = Text("cc")
    subject = Text("subject")
    text = Text("text")
    html = Text("html")
    headers = Text("headers")
    email = Text("email")
    envelope = Text("envelope")
    envelope_json = Json("envelope")
    attachments = Number("attachments")
    attachment_info = Text("attachment-info")
    attachment_info_json = Json("attachment-info")
    sender_ip = Text("sender_ip")
    spam_score = Text("spam_score")
    dkim = Text("dkim")
    spf = Text("SPF")


def _email_key(params: Params) -> str:
    """Return the Message-ID and a hash of the fields.

    The sender chooses the Message-ID, so it alone identifies nothing. An e-mail to two addresses that are received comes twice,
    with two envelopes.
    """
    found = _MESSAGE_ID.search(params.get("headers") or params.get("email", "")[:100_000])
    if found is None:
        return ""
    fields = sha256(msgspec.json.encode(sorted(params.items()))).hexdigest()[:32]
    return joined(found[1], fields)


SENDGRID_EVENT: Final = Kind(
    name="sendgrid.event",
    topic=topics.EVENTS,
    condition=has("event", "sg_event_id|sg_message_id|email"),
    dedupe=key("sg_event_id"),
    ordering=key("sg_message_id|email"),
    elements=True,
    lost_after_4xx=True,
    event=SendGridEvent,
    source="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event",
    sample=Template(
        {
            "email": "zoe@example.com",
            "timestamp": 1750345200,
            "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
            "event": "delivered",
            "category": ["newsletter"],
            "sg_event_id": "ZGVsaXZlcmVk*",
            "sg_message_id": "14c5d75ce93.dfd.64b469.*",
            "response": "250 OK",
            "attempt": "1",
        },
        short="sendgrid",
        path="/sendgrid",
        as_json=True,
    ),
)
EMAIL_RECEIVED: Final = Kind(
    name="email.received",
    topic=topics.MESSAGES,
    condition=has("from", "to", "envelope"),
    dedupe=Key(_email_key, "Message-ID in `headers` or `email`, hash of all fields; without a Message-ID: content"),
    ordering=key("from", "to"),
    lost_after_4xx=True,
    event=EmailReceived,
    source="https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook",
    sample=Template(
        {
            "headers": "Received: by mx1.example.com\r\nMessage-ID: <*@mail.example.com>\r\nSubject: Hello",
            "dkim": "{@example.com : pass}",
            "to": "orders@parse.example.com",
            "from": "Zoe <zoe@example.com>",
            "subject": "Hello",
            "text": "Is the table free?",
            "html": "<p>Is the table free?</p>",
            "sender_ip": "192.0.2.7",
            "envelope": '{"to":["orders@parse.example.com"],"from":"zoe@example.com"}',
            "attachments": "0",
            "spam_score": "0.011",
            "charsets": '{"to":"UTF-8","from":"UTF-8","subject":"UTF-8","text":"UTF-8","html":"UTF-8"}',
            "SPF": "pass",
        },
        short="email",
        path="/sendgrid",
        sender="from",
    ),
)
KINDS: Final = (SENDGRID_EVENT, EMAIL_RECEIVED)
