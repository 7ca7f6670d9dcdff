"""A webhook that is sent again, as if its sender had done the same once more. Pure."""

import secrets
from urllib.parse import parse_qsl, urlencode

from twilio.request_validator import RequestValidator

from hookline_cli.signing import WebhookRequest, sign_form, sign_json
from hookline_processor.events.events import typed
from hookline_shared.catalogue.kinds import kind_of
from hookline_shared.catalogue.sids import is_sid
from hookline_shared.event import Event
from hookline_shared.parsing.forms import parse_form
from hookline_shared.parsing.json_body import is_form

_BODY_HASH = "bodySHA256"


class NotAgainError(ValueError):
    """A webhook that cannot be sent again from here."""


def again(event: Event, base: str, token: str) -> WebhookRequest:
    """Return the request that brings `event` once more to `base`, the public URL, signed with `token`, as a new event.

    The SIDs that identify it are replaced by new ones, since it would be a duplicate otherwise.

    Raises:
        NotAgainError: if it did not come from Twilio, or in a form that only Twilio can sign.

    """
    if event.signer.startswith("sendgrid"):
        raise NotAgainError("SendGrid has signed it with a key that only SendGrid has.")
    body, target = event.body, event.target
    for old in _identifying(event):
        new = old[:2] + secrets.token_hex(16)
        body, target = body.replace(old.encode(), new.encode()), target.replace(old, new)
    url = base.rstrip("/") + _without_hash(target)
    if event.method == "GET":
        return WebhookRequest(url, {"X-Twilio-Signature": RequestValidator(token).compute_signature(url, {})}, b"")
    if is_form(event.content_type):
        return sign_form(url, parse_form(body).params, token)
    if event.content_type.startswith("multipart/"):
        raise NotAgainError("It is a multipart form.")
    return sign_json(url, body, token)


def _identifying(event: Event) -> set[str]:
    """Return the SIDs in the parameters that identify the event. That of the account is none."""
    kind = kind_of(event.kind)
    if kind is None:
        return set()
    params = typed(event).params
    identity = kind.dedupe.identity(params)
    values = {value for value in params.values() if isinstance(value, str) and is_sid(value)}
    return {value for value in values if value in identity and not value.startswith("AC")}


def _without_hash(target: str) -> str:
    path, _, query = target.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != _BODY_HASH]
    return f"{path}?{urlencode(kept)}" if kept else path
