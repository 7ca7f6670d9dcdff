"""The keys of the event that ingress makes of a form."""

from hookline_ingress.translation import event_keys
from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.kinds import classify
from tests.support.inbound.decoded import decoded_form
from tests.support.inbound.webhooks import Params


def dedupe(params: Params, target: str = "/twilio", expected: Kind | None = None) -> str:
    """Return its dedupe key, if it came to `target`, where only `expected` is accepted."""
    webhook = decoded_form(params, target)
    kind = classify(webhook.params, expected)
    return event_keys.dedupe_key(kind, kind.name_of(webhook.params), webhook)


def ordering(params: Params) -> str:
    """Return its ordering key, "alone" if nothing else has the same."""
    return event_keys.ordering_key(classify(dict(params)), decoded_form(params), "alone")
