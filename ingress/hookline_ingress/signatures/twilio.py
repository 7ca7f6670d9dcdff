"""Twilio's request signatures. Pure: no clock, no network.

Source: https://www.twilio.com/docs/usage/security#validating-requests. For a form POST the signed text is the exact URL that
Twilio called, followed by every parameter sorted by name, name and value written together; a repeated parameter
contributes its distinct values, sorted. For a GET the query is already in the URL and nothing is appended. Any other body is
covered by its SHA-256, which the URL carries as `bodySHA256`. The signature is the base64 of the HMAC of that text: SHA-1 under
the account's auth token, or, where the request names a shared key, SHA-256 under that.
"""

import hashlib
import hmac
import re
from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hmac import compare_digest
from itertools import chain, islice, product
from typing import Final, Protocol
from urllib.parse import urlsplit, urlunsplit

from multidict import istr

from hookline_ingress.signatures.secrets import Secret, Secrets, Signer
from hookline_ingress.translation.form_shape import FormShape
from hookline_ingress.translation.webhook import Webhook
from hookline_shared.catalogue.sids import PARENT_ACCOUNT, is_account
from hookline_shared.parsing.forms import Form

SIGNATURE: Final[str] = istr("X-Twilio-Signature")
SETTINGS: Final[str] = istr("X-Twilio-Webhooks-Signature-Settings")
"""Headers: the signature, and which key made it, written `key=<id>,algorithm=HMAC_SHA256`."""

_ALGORITHMS: Final = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
_MOST_SETTINGS: Final = 8
_OF_SHARED_KEYS: Final = "HMAC_SHA256"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HASHED: Final = "bodySHA256"
"""In the query of JSON. No request with another body, such as a GET, may have its URL, which has the same signature."""
_HASH_OF_BODY: Final = re.compile(r"[?&]bodySHA256=([0-9a-f]{64})\Z")
_RECENT: Final = 512
_LARGEST_RECENT: Final = 4096
"""The number of results that are cached, and the length in characters of the longest text that is."""
_MATCHES, _TARGETS = 64, 32
"""The number of secrets whose keyed URLs are cached, and the number of URLs for each of them."""


class Verifier(Protocol):
    """Verifies the signatures of requests."""

    def verify(self, webhook: Webhook, forwarded: str) -> Signer | None:
        """Return the secret with which the signature of `webhook` is valid, None if there is none.

        `forwarded` is the base URL that a trusted proxy was called with, or empty.
        """
        ...

    def signature_of(self, headers: Mapping[str, str]) -> str:
        """Return the signature of a request; empty if it has none."""
        ...

    def cause(self, webhook: Webhook) -> str | None:
        """Return why `webhook`, which did not verify, could not, whatever its signature is: a sentence; None if it could."""
        ...

    def valid_url(self, webhook: Webhook, urls: Iterable[str], most: int) -> str | None:
        """Return the first of `urls` for which the signature of `webhook` is valid, None if there is none.

        At most `most` signatures are computed.
        """
        ...


def signed_params(form: Form, shape: FormShape) -> bytes | None:
    """Return the part of the signed text that follows the URL, of the decoded parameters `form`, which have this `shape`.

    None if a name is none that Twilio makes. Nothing separates the parameters from the URL, so a piece of it could be one.
    """
    if not form.pairs:
        return b""
    if shape.sort_parts is None:
        return None
    if form.parts:
        return "".join(shape.sort_parts(form.parts)).encode()
    return "".join(chain.from_iterable(dict.fromkeys(sorted(form.pairs)))).encode()


def compute(secret: bytes, url: str, params: bytes = b"", algorithm: str = "sha1") -> bytes:
    """Return the base64 HMAC of `url` and `params`, as the X-Twilio-Signature header carries it."""
    keyed = _keyed if len(url) <= _LARGEST_RECENT else _keyed.__wrapped__
    mac = keyed(secret, url, algorithm).copy()
    mac.update(params)
    return b2a_base64(mac.digest(), newline=False)


@lru_cache(maxsize=256)
def _keyed(secret: bytes, url: str, algorithm: str) -> hmac.HMAC:
    """Return the HMAC under `secret` with `url` in it. Cached, since most requests share both, and a copy costs less."""
    return hmac.new(secret, url.encode(), algorithm)


def body_hash_matches(target: str, body: bytes) -> bool:
    """Whether `bodySHA256` at the end of `target` is the SHA-256 of `body`.

    Twilio adds it there, once. Anywhere else it is text of the sender: that of a message, which is signed behind the URL.
    """
    claimed = _HASH_OF_BODY.search(target)
    if claimed is None or target.count(_HASHED) != 1:
        return False
    return compare_digest(hashlib.sha256(body).hexdigest(), claimed[1])


def parse_settings(header: str) -> tuple[str | None, str]:
    """Parse the header `SETTINGS`; return the id of the shared key or None, and the algorithm."""
    parts = (part.partition("=") for part in header.split(",", _MOST_SETTINGS))
    named = {name.strip(): value.strip() for name, _, value in parts}
    return named.get("key") or None, named.get("algorithm") or "HMAC_SHA1"


def with_and_without_port(base: str) -> tuple[str, ...]:
    """Return the forms of the base URL that Twilio may have signed: some products keep the port, others drop it."""
    parts = urlsplit(base)
    host, _, _ = parts.netloc.rpartition(":")
    other = host if parts.port else f"{parts.netloc}:{_DEFAULT_PORTS[parts.scheme]}"
    return base, urlunsplit(parts._replace(netloc=other))


class _Match:
    """The base URL and the secret that verified a request."""

    def __init__(self, base: str, secret: Secret) -> None:
        self._base = base
        self.secret = secret
        self._keyed = lru_cache(maxsize=_TARGETS)(self._key)

    def verifies(self, account: str, target: str, params: bytes, signature: bytes) -> bool:
        """Whether `signature` is valid with them for a request of `account`."""
        if not self.secret.may_sign(account) or len(target) > _LARGEST_RECENT:
            return False
        mac = self._keyed(target).copy()
        mac.update(params)
        return compare_digest(b2a_base64(mac.digest(), newline=False), signature)

    def _key(self, target: str) -> hmac.HMAC:
        return hmac.new(self.secret.value, f"{self._base}{target}".encode(), "sha1")


class Keyring:
    """Verifies requests against several secrets and several public base URLs, as during a token's rotation.

    The URL and secret that matched last are tried first, and with few accounts nearly always match. Otherwise all that may have
    signed the request are tried, and the result is cached, so that a repeated request, genuine or not, costs one search.
    """

    def __init__(
        self, secrets: Iterable[Secret], public_urls: Iterable[str], shared_keys: Mapping[str, Secret] | None = None
    ) -> None:
        self.public_urls = tuple(public_urls)
        self._own = tuple(secrets)
        self._secrets = Secrets(self._own)
        self._shared_keys = shared_keys or {}
        self._bases = tuple(form for url in self.public_urls for form in with_and_without_port(url))
        self._last_match: _Match | None = None
        self._match = lru_cache(maxsize=_MATCHES)(_Match)
        self._cached_search = lru_cache(maxsize=_RECENT)(self._search)

    def with_tokens(self, tokens: Iterable[Secret]) -> Secrets:
        """Return `tokens` together with the secrets that the keyring was made with. Any thread may call it."""
        return Secrets([*self._own, *tokens])

    def use(self, secrets: Secrets) -> None:
        """Use `secrets` from now on."""
        self._secrets = secrets
        self._last_match = None
        self._match.cache_clear()

    def provide(self, account: str, tokens: Sequence[Secret]) -> None:
        """Use `tokens` for `account` from now on, instead of those that were provided for it before."""
        self._secrets.provide(account, tokens)
        last = self._last_match
        if last is not None and last.secret.account == account:
            self._last_match = None

    def accounts_named(self, webhook: Webhook) -> Sequence[str]:
        """Return the accounts that `webhook` names and whose tokens might verify it; none if no token could."""
        target, request = webhook.request.target, webhook.request
        if (webhook.signed_body is not None or _HASHED in target) and not body_hash_matches(target, request.body):
            return ()
        if parse_settings(request.headers.get(SETTINGS, ""))[0] or signed_params(webhook.signed, webhook.shape) is None:
            return ()
        parent = webhook.form.params.get(PARENT_ACCOUNT, "")
        return [*self._secrets.named_accounts(webhook), *([parent] if is_account(parent) else [])]

    def signature_of(self, headers: Mapping[str, str]) -> str:
        """Return the signature of a request; empty if it has none."""
        return headers.get(SIGNATURE, "")

    def cause(self, webhook: Webhook) -> str | None:
        """Return why `webhook`, which did not verify, could not, whatever its signature is: a sentence; None if it could."""
        if signed_params(webhook.signed, webhook.shape) is None:
            return (
                "The name of a parameter is empty or has /, ?, #, &, = or a control character. Give it another name at Twilio."
            )
        return None

    def verify(self, webhook: Webhook, forwarded: str = "") -> Signer | None:
        """Return the secret with which the signature of `webhook` is valid, None if there is none.

        The account that the webhook names only decides which of the bound secrets are tried.
        """
        target, account = webhook.request.target, webhook.account
        if (webhook.signed_body is not None or _HASHED in target) and not body_hash_matches(target, webhook.request.body):
            return None
        signature = webhook.signature.encode(errors="replace")
        settings = webhook.request.headers.get(SETTINGS, "")
        params = signed_params(webhook.signed, webhook.shape)
        if params is None:
            return None
        last = self._last_match
        if last is not None and not settings and last.verifies(account, target, params, signature):
            return last.secret
        secrets = self._candidates(webhook, settings)
        size = len(params) + len(target) + len(signature) + len(settings) + len(forwarded)
        search = self._cached_search if size <= _LARGEST_RECENT else self._search
        found = search(target, params, secrets, signature, settings, forwarded)
        if found is None:
            return None
        if not settings and not forwarded:
            self._last_match = self._match(*found)
        return found[1]

    def valid_url(self, webhook: Webhook, urls: Iterable[str], most: int) -> str | None:
        """Return the first of `urls` with which a token would have signed `webhook`, among the first `most` combinations."""
        if webhook.signed_body is not None and not body_hash_matches(webhook.request.target, webhook.signed_body):
            return None
        signature = webhook.signature.encode(errors="replace")
        params = signed_params(webhook.signed, webhook.shape)
        if params is None:
            return None
        settings = webhook.request.headers.get(SETTINGS, "")
        hashing = _ALGORITHMS.get(parse_settings(settings)[1].upper(), "sha1")
        for url, secret in islice(product(urls, self._candidates(webhook, settings)), most):
            right = hmac.digest(secret.value, url.encode(errors="replace") + params, hashing)
            if compare_digest(b2a_base64(right, newline=False), signature):
                return url
        return None

    def _candidates(self, webhook: Webhook, settings: str) -> tuple[Secret, ...]:
        """Return the secrets that may have signed `webhook`: the shared key that its header names, else tokens."""
        key, algorithm = parse_settings(settings)
        if not key:
            return self._secrets.candidates(webhook)
        shared = self._shared_keys.get(key)
        if shared is None or algorithm.upper() != _OF_SHARED_KEYS or not shared.may_sign(webhook.account):
            return ()
        return (shared,)

    def _search(
        self, target: str, params: bytes, secrets: Sequence[Secret], signature: bytes, settings: str, forwarded: str
    ) -> tuple[str, Secret] | None:
        """Return the base URL and secret with which `signature` is valid."""
        hashing = _ALGORITHMS.get(parse_settings(settings)[1].upper())
        if hashing is None:
            return None
        for base in (*self._bases, *(with_and_without_port(forwarded) if forwarded else ())):
            for secret in secrets:
                if compare_digest(compute(secret.value, base + target, params, hashing), signature):
                    return base, secret
        return None
