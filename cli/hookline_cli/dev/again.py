"""A webhook that is sent again, as if its sender had done the same once more. Pure."""

import re
import secrets
from collections.abc import Collection
from typing import Final
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from hookline_cli.signing import WebhookRequest, sign_form, sign_json, sign_query
from hookline_processor.events.events import typed
from hookline_shared.catalogue.kinds import kind_of
from hookline_shared.catalogue.sids import is_sid
from hookline_shared.event import Event
from hookline_shared.parsing.forms import parse_form
from hookline_shared.parsing.json_body import is_form

_BODY_HASH: Final = "bodySHA256"
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class NotAgainError(ValueError):
    """A webhook that cannot be sent again from here."""


def again(event: Event, base: str, token: str) -> WebhookRequest:
    """Return the request that brings `event` once more to `base`, the public URL, signed with `token`, as a new event.

    The SIDs and UUIDs that identify it are replaced by new ones, since it would be a duplicate otherwise. What is identified by
    its content has a new idempotency token, as all requests that are signed here.

    Raises:
        NotAgainError: if it did not come from Twilio, in a form that only Twilio can sign, or would be a duplicate.

    """
    if event.signer.startswith("sendgrid"):
        raise NotAgainError("SendGrid has signed it with a key that only SendGrid has.")
    body, target = event.body, event.target
    for old in _identifying(event):
        new = old[:2] + secrets.token_hex(16) if is_sid(old) else str(uuid4())
        body, target = body.replace(old.encode(), new.encode()), target.replace(old, new)
    url = base.rstrip("/") + _without_hash(target)
    if event.method == "GET":
        return sign_query(url, token)
    if is_form(event.content_type):
        return sign_form(url, parse_form(body).params, token)
    if event.content_type.startswith("multipart/"):
        raise NotAgainError("It is a multipart form.")
    return sign_json(url, body, token)


def _identifying(event: Event) -> Collection[str]:
    """Return the SIDs and UUIDs in the parameters that identify the event. That of the account is none."""
    kind = kind_of(event.kind)
    if kind is None:
        return ()
    params = typed(event).params
    identity = kind.dedupe.identity(params)
    values = {value for value in params.values() if isinstance(value, str) and (is_sid(value) or _UUID.fullmatch(value))}
    found = {value for value in values if value in identity and not value.startswith("AC")}
    if identity and not found and not kind.steps:
        raise NotAgainError(f"It would be a duplicate: it is identified by {identity}, which is no SID that can be replaced.")
    return found


def _without_hash(target: str) -> str:
    path, _, query = target.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != _BODY_HASH]
    return f"{path}?{urlencode(kept)}" if kept else path
