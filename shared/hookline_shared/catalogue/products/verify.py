"""Verify: factors and challenges. It sends forms or JSON, with names in snake_case."""

from typing import Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Text
from hookline_shared.catalogue.kind import Kind, Template, has, key
from hookline_shared.catalogue.webhook_event import WebhookEvent

__all__ = ["VerifyEvent"]


class VerifyEvent(WebhookEvent):
    """Something happened to a factor or challenge of Verify. `type` says what, for example factor.created."""

    kind = "verify.*"
    uuid = Text("uuid")
    type = Text("type")
    service_sid = Text("service_sid")
    entity_identity = Text("entity_identity")
    factor_sid = Text("factor_sid")
    factor_type = Text("factor_type")
    factor_friendly_name = Text("factor_friendly_name")
    challenge_sid = Text("challenge_sid")
    challenge_status = Text("challenge_status")


VERIFY: Final = Kind(
    name="verify",
    topic=topics.EVENTS,
    condition=has("uuid", "type"),
    event_type=key("type"),
    dedupe=key("uuid"),
    ordering=key("factor_sid|challenge_sid"),
    event=VerifyEvent,
    source="https://www.twilio.com/docs/verify/webhooks",
    sample=Template(
        {
            "uuid": "uuid*",
            "type": "<event>",
            "account_sid": "AC00000000000000000000000000000001",
            "service_sid": "VA00000000000000000000000000000001",
            "entity_identity": "ff483d1ff591898a9942916050d2ca3f",
            "factor_sid": "YF*",
            "factor_type": "push",
            "factor_friendly_name": "Zoe's phone",
        },
        short="verify",
        path="/twilio/verify",
        event="factor.created",
    ),
)
KINDS: Final = (VERIFY,)
