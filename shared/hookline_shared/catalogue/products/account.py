"""What is about the account itself: errors, usage, regulatory reviews, hosted and ported numbers."""

from typing import Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Json, Text
from hookline_shared.catalogue.kind import CONTENT, Key, Kind, Template, has, key
from hookline_shared.catalogue.sids import Params
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.parsing.json_body import decode_json, members_of

__all__ = ["ComplianceStatus", "DebuggerEvent", "HostedNumberStatus", "PortingStatus", "UsageTrigger"]

_ACCOUNT: Final = "AC00000000000000000000000000000001"


class DebuggerEvent(WebhookEvent):
    """Twilio reports an error or a warning. `payload` is JSON with the error code and the cause."""

    kind = "debugger.*"
    sid = Text("Sid")
    parent_account_sid = Text("ParentAccountSid")
    level = Text("Level")
    timestamp = Text("Timestamp")
    payload_type = Text("PayloadType")
    payload = Text("Payload")
    payload_json = Json("Payload")


class UsageTrigger(WebhookEvent):
    """The account's usage has reached the value of a trigger."""

    kind = "usage_trigger"
    usage_trigger_sid = Text("UsageTriggerSid")
    idempotency_token = Text("IdempotencyToken")
    recurring = Text("Recurring")
    date_fired = Text("DateFired")
    usage_category = Text("UsageCategory")
    trigger_by = Text("TriggerBy")
    trigger_value = Text("TriggerValue")
    current_value = Text("CurrentValue")
    usage_record_uri = Text("UsageRecordUri")


class ComplianceStatus(WebhookEvent):
    """A regulatory bundle or a profile of Trust Hub was reviewed. A2P brands and campaigns come by Event Streams."""

    kind = "compliance"
    bundle_sid = Text("BundleSid")
    status = Text("Status")
    failure_reason = Text("FailureReason")
    error_code = Text("ErrorCode")
    valid_until = Text("ValidUntil")


class HostedNumberStatus(WebhookEvent):
    """The order to host a number has a new status."""

    kind = "hosted_number"
    hosted_number_order_sid = Text("HostedNumberOrderSid")
    phone_number = Text("PhoneNumber")
    status = Text("Status")
    failure_reason = Text("FailureReason")
    error_code = Text("ErrorCode")


class PortingStatus(WebhookEvent):
    """A request to port numbers, or one of its numbers, has a new status."""

    kind = "porting"
    port_in_request_sid = Text("port_in_request_sid")
    port_in_phone_number_sid = Text("port_in_phone_number_sid")
    phone_number = Text("phone_number")
    status = Text("status")
    rejection_reason = Text("rejection_reason")
    last_date_updated = Text("last_date_updated")


def _level(params: Params) -> str:
    return params.get("Level", "").lower()


def _resource(params: Params) -> str:
    """Return the SID of what the error is about: errors of two calls have nothing to do with each other."""
    return members_of(decode_json(params.get("Payload", "").encode())).get("resource_sid", "")


DEBUGGER: Final = Kind(
    name="debugger",
    topic=topics.EVENTS,
    condition=has("Level", "PayloadType", "Payload"),
    event_type=Key(_level, "`Level`"),
    dedupe=key("Sid"),
    ordering=Key(_resource, "`resource_sid` in `Payload`"),
    event=DebuggerEvent,
    source="https://www.twilio.com/docs/usage/troubleshooting/debugging-event-webhooks",
    sample=Template(
        {
            "ParentAccountSid": "",
            "Payload": '{"resource_sid":"CA1","service_sid":null,"error_code":"11200","more_info":{"msg":"Bad Gateway"}}',
            "Level": "<EVENT>",
            "Timestamp": "2025-06-19T15:00:00Z",
            "PayloadType": "application/json",
            "AccountSid": _ACCOUNT,
            "Sid": "NO*",
        },
        short="debugger",
        path="/twilio/debugger",
        event="error",
    ),
)
USAGE_TRIGGER: Final = Kind(
    name="usage_trigger",
    topic=topics.EVENTS,
    condition=has("UsageTriggerSid"),
    dedupe=key("UsageTriggerSid", "IdempotencyToken|DateFired"),
    ordering=key("UsageTriggerSid"),
    event=UsageTrigger,
    source="https://www.twilio.com/docs/usage/api/usage-trigger#webhook",
    sample=Template(
        {
            "AccountSid": _ACCOUNT,
            "UsageTriggerSid": "UT*",
            "Recurring": "monthly",
            "DateFired": "Thu, 19 Jun 2025 15:00:00 +0000",
            "UsageCategory": "totalprice",
            "TriggerBy": "price",
            "TriggerValue": "60",
            "CurrentValue": "60.52",
            "UsageRecordUri": f"/2010-04-01/Accounts/{_ACCOUNT}/Usage/Records/ThisMonth?Category=totalprice",
            "IdempotencyToken": "<UsageTriggerSid>-FIRES-2025-06-19",
        },
        short="usage-trigger",
    ),
)
COMPLIANCE: Final = Kind(
    name="compliance",
    topic=topics.EVENTS,
    condition=has("BundleSid", "Status"),
    dedupe=CONTENT,
    ordering=key("BundleSid"),
    event=ComplianceStatus,
    source="https://www.twilio.com/docs/phone-numbers/regulatory/api/bundles#status-callback, "
    "https://www.twilio.com/docs/trust-hub/trusthub-rest-api",
    sample=Template(
        {
            "AccountSid": _ACCOUNT,
            "BundleSid": "BU*",
            "Status": "twilio-rejected",
            "FailureReason": "The address cannot be verified.",
            "ErrorCode": "22214",
        },
        short="compliance",
    ),
)
HOSTED_NUMBER: Final = Kind(
    name="hosted_number",
    topic=topics.EVENTS,
    condition=has("HostedNumberOrderSid", "Status"),
    dedupe=CONTENT,
    ordering=key("HostedNumberOrderSid"),
    event=HostedNumberStatus,
    source="https://www.twilio.com/docs/phone-numbers/hosted-numbers/hosted-numbers-api/hosted-number-order-resource",
    sample=Template(
        {"AccountSid": _ACCOUNT, "HostedNumberOrderSid": "HR*", "PhoneNumber": "+15005550001", "Status": "verified"},
        short="hosted-number",
    ),
)
PORTING: Final = Kind(
    name="porting",
    topic=topics.EVENTS,
    condition=has("port_in_request_sid"),
    dedupe=CONTENT,
    ordering=key("port_in_request_sid"),
    event=PortingStatus,
    source="https://www.twilio.com/docs/phone-numbers/port-in/port-in-webhook",
    sample=Template(
        {
            "account_sid": _ACCOUNT,
            "port_in_request_sid": "KW*",
            "port_in_phone_number_sid": "PU*",
            "phone_number": "+15005550001",
            "status": "PortInPhoneNumberCompleted",
            "last_date_updated": "2025-06-19T15:00:00Z",
        },
        short="porting",
        as_json=True,
    ),
)
KINDS: Final = (DEBUGGER, USAGE_TRIGGER, COMPLIANCE, HOSTED_NUMBER, PORTING)
