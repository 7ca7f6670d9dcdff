"""The keys of an event. Pure.

Dedupe keys begin with the account and the kind, so that neither two kinds nor two accounts can ever collide. Where Twilio sent
none of the parameters that identify an event, a hash of its content does, together with Twilio's idempotency token. The token
is the same in all deliveries of one event, so it tells apart two events of equal content, such as the same digit pressed twice.
It is not signed, so it never makes two events one: it is a part of the key beside the content, not instead of it.

A key that is too long is replaced by its hash.
"""

import re
from hashlib import sha256
from typing import Final

from hookline_ingress.translation.webhook import Webhook
from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.sids import is_sid
from hookline_shared.event import TOKEN_MARK, claim_for

TOKEN: Final = "I-Twilio-Idempotency-Token"  # noqa: S105 - the name of a header
"""Header: the same in all deliveries of one event. Not signed."""

_MAX_KEY_LENGTH: Final = 200
_MAX_CONTENT_KEY_LENGTH: Final = 135
"""Leaves room for a token. Whether one comes makes no difference to the rest of the key."""
_USABLE_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CLAIM_OF_ELEMENTS: Final = claim_for("elements")
_RETRIES: Final = frozenset({"RetryCount"})
_OF_FALLBACK: Final = frozenset({"ErrorCode", "ErrorUrl", "RetryCount"})
"""Parameters that Twilio adds when it calls the fallback URL. Without an ErrorUrl, an ErrorCode is what happened."""


def content_hash(webhook: Webhook, volatile: frozenset[str] = frozenset()) -> str:
    """Return a hash of the content, parameters in any order, without what differs between two deliveries of one event.

    `volatile` are the names of more such parameters.
    """
    left_out = (_OF_FALLBACK if webhook.form.params.get("ErrorUrl") else _RETRIES) | volatile
    digest = sha256(webhook.rest)
    for name, value in sorted(webhook.form.pairs):
        if name not in left_out:
            digest.update(f"{len(name)}:{name}{len(value)}:{value}".encode())
    return digest.hexdigest()[:32]


def dedupe_key(kind: Kind, name: str, webhook: Webhook) -> str:
    """Return the dedupe key: the same for all deliveries of an event of `kind`. `name` is the kind's whole name."""
    identity = kind.dedupe.identity(webhook.params)
    if identity and not kind.steps:
        return _safe(f"{webhook.account}:{name}:{identity}")
    content = content_hash(webhook, kind.volatile)
    if kind.steps:
        content = f"{identity}:{webhook.path}:{content}"
    return _safe(f"{webhook.account}:{name}:{content}", _MAX_CONTENT_KEY_LENGTH) + _token_mark(webhook)


def ordering_key(kind: Kind, webhook: Webhook, dedupe: str) -> str:
    """Return the key within which events are handled in order.

    An event that names no resource has a lane of its own, `dedupe`: that is the same for all its deliveries, which therefore
    come to one partition. What is no SID may mean something else in another account, or for another kind.
    """
    found = kind.ordering.of(webhook.params)
    if not found:
        return _bounded(dedupe)
    unique = kind.ordering.numbers or is_sid(found)
    return _safe(found if unique else f"{webhook.account}:{kind.name}:{found}")


def _safe(key: str, length: int = _MAX_KEY_LENGTH) -> str:
    """Return `key` in at most `length` characters and without `TOKEN_MARK`, percent-encoded: only the token is behind one."""
    if "%" in key or TOKEN_MARK in key:
        key = key.replace("%", "%25").replace(TOKEN_MARK, "%7E")
    return key if len(key) <= length else _bounded(key, length)


def claim_of(kind: Kind, webhook: Webhook, dedupe: str, ordering: str) -> str:
    """Return what the signed text of `webhook` is claimed for, see `claim_signature.lua`.

    That is both keys of the event, since duplicates are recognised within a partition, but without the idempotency token: the
    same content may come a few times under one signature. The keys have text of the sender, so their lengths separate them.
    The elements of an array share one claim: their signature covers the whole body.
    """
    if webhook.is_element:
        return _CLAIM_OF_ELEMENTS
    if TOKEN_MARK not in dedupe:
        return claim_for(f"{len(dedupe)}:{dedupe}{ordering}")
    mark = _token_mark(webhook) if kind.steps or not kind.dedupe.identity(webhook.params) else ""
    content = dedupe.removesuffix(mark)
    return claim_for(f"{len(content)}:{content}{ordering.removesuffix(mark)}", mark)


def _token_mark(webhook: Webhook) -> str:
    """Return the end of a dedupe key that has the idempotency token, empty if the request has none that can be used."""
    token = "" if webhook.is_element else webhook.request.headers.get(TOKEN, "")
    return f"{TOKEN_MARK}{token}" if _USABLE_TOKEN.fullmatch(token) else ""


def _bounded(key: str, length: int = _MAX_KEY_LENGTH) -> str:
    return key if len(key) <= length else f"sha256:{sha256(key.encode()).hexdigest()}"
