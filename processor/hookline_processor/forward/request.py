"""From an event to the request that the app gets: as Twilio would send it. Pure.

Signatures are made with twilio-python's own validator: https://www.twilio.com/docs/usage/security#validating-requests.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b, sha256
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from multidict import MultiDict

from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.event import TOKEN_MARK, Event
from hookline_shared.forwards import Forward
from hookline_shared.live import without_mark
from hookline_shared.parsing.json_body import is_form

EVENT_HEADER: Final = "X-Hookline-Event"
"""Has the id of the event. Ingress refuses a request with it: it would be forwarded in a circle."""
_USER_AGENT: Final = "TwilioProxy/1.1"
_BODY_HASH: Final = re.compile(r"(?<=[?&]bodySHA256=)[0-9a-fA-F]{64}")


class UnsignableError(Exception):
    """The webhook cannot be signed as the app expects it. The message says what is missing."""


class AppRequest(NamedTuple):
    """A request to an app."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def request_to(forward: Forward, event: Event, token: str | None, public_urls: Sequence[str]) -> AppRequest:
    """Return the request that carries `event` to the app of `forward`, signed with the auth token `token`.

    Raises:
        UnsignableError: if there is no token.

    """
    body = _whole_body(event)
    url = _with_hash_of(body, forward.target_url(event.target)) if body is not event.body else forward.target_url(event.target)
    method = event.method or ("POST" if body else "GET")
    request = AppRequest(method, url, _headers(event), body)
    if forward.sign == "target":
        return signed(request, event, token)
    public = _public_url(event, token, public_urls)
    original = {"X-Twilio-Signature": event.signature} | (_forwarded(public) if public else {})
    return request._replace(headers=request.headers | original)


def signed(request: AppRequest, event: Event, token: str | None) -> AppRequest:
    """Return `request`, which carries `event`, with the signature for its URL.

    Raises:
        UnsignableError: if there is no token.

    """
    if token is None:
        raise UnsignableError(
            f"No auth token is known for account {event.account or '(none)'}, so the app would refuse the signature. "
            'Set TWILIO_AUTH_TOKEN for the processor, or sign = "original" for this forward.'
        )
    signature = signature_of(request.url, event, token)
    return request._replace(headers=request.headers | {"X-Twilio-Signature": signature} | _forwarded(request.url))


def signature_of(url: str, event: Event, token: str) -> str:
    """Return Twilio's signature of `event`, called at `url`, with the auth token `token`."""
    from twilio.request_validator import RequestValidator  # noqa: PLC0415 - only forwards need it

    params: MultiDict[str] = MultiDict()
    if event.body and is_form(event.content_type):
        params.extend([(name, value) for name, values in WebhookEvent(event).all.items() for value in values])
    return str(RequestValidator(token).compute_signature(url, params))


def idempotency_token(event: Event) -> str:
    """Return the token that is the same in every attempt for `event`: Twilio's own if it is known."""
    _, _, sent = without_mark(event.dedupe_key).partition(TOKEN_MARK)
    return sent or blake2b(event.dedupe_key.encode(errors="replace"), digest_size=16).hexdigest()


def public_url_of(event: Event, token: str | None, public_urls: Sequence[str]) -> str:
    """Return the URL that Twilio called for `event`, empty if it is not known."""
    public = _public_url(event, token, public_urls)
    return f"{public}{event.target}" if public else ""


def _public_url(event: Event, token: str | None, public_urls: Sequence[str]) -> str:
    """Return the base URL whose signature the event has, the first one if that cannot be told, empty if there is none."""
    bases = [one.rstrip("/") for one in public_urls]
    if len(bases) > 1 and token is not None:
        for base in bases:
            if signature_of(f"{base}{event.target}", event, token) == event.signature:
                return base
    return bases[0] if bases else ""


def _headers(event: Event) -> dict[str, str]:
    headers = {
        "User-Agent": _USER_AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "I-Twilio-Idempotency-Token": idempotency_token(event),
        EVENT_HEADER: event.id,
    }
    if event.content_type:
        headers["Content-Type"] = event.content_type
    if event.traceparent:
        headers["traceparent"] = event.traceparent
    return headers


def _forwarded(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    return {"X-Forwarded-Host": parts.netloc, "X-Forwarded-Proto": parts.scheme}


def _whole_body(event: Event) -> bytes:
    """Return the body of the request. An element of an array came with others, which have events of their own."""
    found = _BODY_HASH.search(event.target)
    if found is None or found[0].lower() == sha256(event.body).hexdigest():
        return event.body
    return b"[" + event.body + b"]"


def _with_hash_of(body: bytes, url: str) -> str:
    return _BODY_HASH.sub(sha256(body).hexdigest(), url)
