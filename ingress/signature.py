"""Twilio's request signatures. Pure: no clock, no network.

Source: https://www.twilio.com/docs/usage/security#validating-requests. For a form POST the signed text is the exact URL that
Twilio called, followed by every parameter sorted by name, name and value written together; a repeated parameter
contributes its distinct values, sorted. For a GET the query is already in the URL and nothing is appended. The signature is
the base64 of the HMAC-SHA1 under the account's auth token.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from shared.forms import Form

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Secret(NamedTuple):
    """An auth token. `name` is what logs and metrics call it; `account` is the SID it is bound to, or None."""

    name: str
    value: bytes
    account: str | None


def parse_secrets(tokens: Iterable[str]) -> tuple[Secret, ...]:
    """Read `token` and `ACxxx=token` items, naming them token1, token2, … by position."""
    secrets = []
    for position, token in enumerate(tokens, start=1):
        account, bound, value = token.rpartition("=")
        secrets.append(Secret(f"token{position}", value.encode(), account if bound else None))
    return tuple(secrets)


def signed_text(url: str, form: Form) -> bytes:
    """Give the bytes that Twilio signs for a request to `url` with the decoded parameters `form`."""
    params = dict(form)
    if len(params) == len(form):  # nothing is repeated, and sorting names is quicker than sorting pairs
        return (url + "".join([name + params[name] for name in sorted(params)])).encode()
    return (url + "".join(chain.from_iterable(dict.fromkeys(sorted(form))))).encode()


def compute(secret: bytes, text: bytes) -> bytes:
    """Give the base64 HMAC-SHA1 of `text`, as the X-Twilio-Signature header carries it."""
    return b64encode(hmac.digest(secret, text, "sha1"))


def with_and_without_port(base: str) -> tuple[str, ...]:
    """Give the forms of the base URL that Twilio may have signed: some products keep the port, others drop it."""
    parts = urlsplit(base)
    host, _, _ = parts.netloc.rpartition(":")
    other = host if parts.port else f"{parts.netloc}:{_DEFAULT_PORTS[parts.scheme]}"
    return base, urlunsplit(parts._replace(netloc=other))


class Keyring:
    """Verifies requests against several secrets and several public base URLs, as during a token's rotation."""

    def __init__(self, secrets: Sequence[Secret], public_urls: Iterable[str]) -> None:
        self._secrets = secrets
        self.public_urls = tuple(public_urls)
        self._bases = tuple(form for url in self.public_urls for form in with_and_without_port(url))

    def verify(self, target: str, form: Form, account: str, signature: bytes) -> str | None:
        """Give the name of the secret under which `signature` is right, or None.

        `target` is the raw path and query as called, never decoded. `account` is the claimed AccountSid: it only decides
        which bound secrets are tried, and is trustworthy once this succeeds.
        """
        for base in self._bases:
            text = signed_text(base + target, form)
            for secret in self._secrets:
                may_sign = secret.account is None or secret.account == account
                if may_sign and hmac.compare_digest(compute(secret.value, text), signature):
                    return secret.name
        return None
