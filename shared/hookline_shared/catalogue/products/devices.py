"""Programmable Wireless and Super SIM, Fax, and Proxy."""

from typing import Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Json, Number, Text
from hookline_shared.catalogue.kind import CONTENT, Kind, Template, has, key
from hookline_shared.catalogue.webhook_event import WebhookEvent

__all__ = ["FaxStatus", "ProxyInteraction", "SimCommand", "SimStatus"]

_ACCOUNT: Final = "AC00000000000000000000000000000001"


class SimStatus(WebhookEvent):
    """A SIM has a new status."""

    kind = "sim"
    sim_sid = Text("SimSid")
    sim_unique_name = Text("SimUniqueName")
    sim_status = Text("SimStatus")
    error_code = Text("ErrorCode")
    error_message = Text("ErrorMessage")


class SimCommand(WebhookEvent):
    """A SIM sent a command, or a command to it has a new status."""

    kind = "sim_command"
    command_sid = Text("CommandSid")
    sms_command_sid = Text("SmsCommandSid")
    sim_sid = Text("SimSid")
    sim_unique_name = Text("SimUniqueName")
    direction = Text("Direction")
    command = Text("Command")
    payload = Text("Payload")
    command_status = Text("CommandStatus")
    status = Text("Status")
    error_code = Text("ErrorCode")


class FaxStatus(WebhookEvent):
    """A fax came in, or one that you sent has a new status."""

    kind = "fax"
    fax_sid = Text("FaxSid")
    fax_status = Text("FaxStatus")
    from_ = Text("From")
    to = Text("To")
    num_pages = Number("NumPages")
    media_sid = Text("MediaSid")
    media_url = Text("MediaUrl")
    error_code = Text("ErrorCode")
    error_message = Text("ErrorMessage")


class ProxyInteraction(WebhookEvent):
    """A call or message passed through a session of Proxy, or asks whether it may. `interaction_data` is JSON."""

    kind = "proxy"
    interaction_sid = Text("interactionSid")
    interaction_type = Text("interactionType")
    interaction_session_sid = Text("interactionSessionSid")
    interaction_service_sid = Text("interactionServiceSid")
    interaction_data = Text("interactionData")
    interaction_data_json = Json("interactionData")
    inbound_participant_sid = Text("inboundParticipantSid")
    inbound_resource_sid = Text("inboundResourceSid")
    inbound_resource_type = Text("inboundResourceType")
    inbound_resource_status = Text("inboundResourceStatus")
    outbound_participant_sid = Text("outboundParticipantSid")
    outbound_resource_sid = Text("outboundResourceSid")
    outbound_resource_type = Text("outboundResourceType")
    outbound_resource_status = Text("outboundResourceStatus")


SIM_COMMAND: Final = Kind(
    name="sim_command",
    topic=topics.EVENTS,
    condition=has("SimSid", "CommandSid|SmsCommandSid|IpCommandSid"),
    dedupe=key("CommandSid|SmsCommandSid|IpCommandSid", "CommandStatus|Status"),
    ordering=key("SimSid"),
    event=SimCommand,
    source="https://www.twilio.com/docs/iot/wireless/api/command-resource#command-webhooks, "
    "https://www.twilio.com/docs/iot/supersim/api/smscommand-resource",
    sample=Template(
        {
            "AccountSid": _ACCOUNT,
            "SmsCommandSid": "HC*",
            "SimSid": "HS*",
            "SimUniqueName": "pump-7",
            "Direction": "from_sim",
            "Payload": "level=81",
            "Status": "received",
        },
        short="sim-command",
    ),
)
SIM: Final = Kind(
    name="sim",
    topic=topics.EVENTS,
    condition=has("SimSid", "SimStatus"),
    dedupe=CONTENT,
    ordering=key("SimSid"),
    event=SimStatus,
    source="https://www.twilio.com/docs/iot/supersim/api/sim-resource",
    sample=Template(
        {"AccountSid": _ACCOUNT, "SimSid": "HS*", "SimUniqueName": "pump-7", "SimStatus": "active"},
        short="sim",
    ),
)
FAX: Final = Kind(
    name="fax",
    topic=topics.EVENTS,
    condition=has("FaxSid"),
    dedupe=key("FaxSid", "FaxStatus|Status"),
    ordering=key("FaxSid"),
    event=FaxStatus,
    source="https://www.twilio.com/docs/fax/api/fax-resource#fax-status-callback",
    sample=Template(
        {
            "AccountSid": _ACCOUNT,
            "FaxSid": "FX*",
            "FaxStatus": "received",
            "From": "+15005550006",
            "To": "+15005550001",
            "NumPages": "2",
            "MediaSid": "ME*",
            "MediaUrl": "https://media.twiliocdn.com/fax/<FaxSid>/<MediaSid>",
        },
        short="fax",
        sender="From",
    ),
)
PROXY: Final = Kind(
    name="proxy",
    topic=topics.EVENTS,
    condition=has("interactionSessionSid"),
    dedupe=CONTENT,
    ordering=key("interactionSessionSid"),
    event=ProxyInteraction,
    source="https://www.twilio.com/docs/proxy/api/webhooks",
    sample=Template(
        {
            "interactionAccountSid": _ACCOUNT,
            "interactionServiceSid": "KS00000000000000000000000000000001",
            "interactionSessionSid": "KC*",
            "interactionSid": "KI*",
            "interactionType": "Message",
            "interactionData": '{"body":"Hello"}',
            "interactionDateCreated": "2025-06-19T15:00:00Z",
            "inboundParticipantSid": "KP*",
            "inboundResourceSid": "SM*",
            "inboundResourceType": "message",
            "inboundResourceStatus": "received",
            "outboundParticipantSid": "KP*",
            "outboundResourceSid": "SM*",
            "outboundResourceType": "message",
            "outboundResourceStatus": "sent",
        },
        short="proxy",
    ),
)
KINDS: Final = (SIM_COMMAND, SIM, FAX, PROXY)
