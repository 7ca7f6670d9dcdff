"""The secrets that sign webhooks: auth tokens and shared keys, found by the account that they are bound to. Pure.

Whether there is one token or one for each of 100,000 subaccounts, a request is verified with a few of them: those of the
account that it names, and those that are bound to none.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple, Protocol

from hookline_ingress.translation.webhook import Webhook

TOKENS_PATH: Final = "TWILIO_TOKENS_PATH"
"""The setting that names the file with the tokens of subaccounts, see `tokens_file.py`."""

_BOUND: Final = re.compile(r"(AC[0-9a-fA-F]{32})=(.+)")
_TOKEN: Final = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
_SID: Final = re.compile(r"AC[0-9a-fA-F]{32}")
_ACCOUNT: Final = re.compile(rb"AC[0-9a-fA-F]{32}")
_SEARCHED: Final = 1 << 16
_MOST_NAMED: Final = 8
"""The bytes of a body that are searched for accounts, and the accounts in it whose secrets are tried."""
_FEW: Final = 16
"""Up to so many bound secrets are all tried for a request that names no account."""


class Signer(Protocol):
    """The secret that verified a request."""

    @property
    def name(self) -> str:
        """Its name in logs and metrics."""
        ...

    @property
    def account(self) -> str | None:
        """The SID of the account that it is bound to, or None."""
        ...


class Secret(NamedTuple):
    """An auth token or shared key. `name` is its name in logs and metrics; `account` is the SID it is bound to, or None."""

    name: str
    value: bytes
    account: str | None = None

    def __repr__(self) -> str:
        """Return it without its value."""
        return f"<{type(self).__name__} {self.name}>"

    def may_sign(self, account: str) -> bool:
        """Whether it is valid for `account`. A request that names none, such as JSON, is of the account of the secret."""
        return self.account is None or self.account == account or not _SID.fullmatch(account)


class Secrets:
    """Secrets by account."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._unbound: tuple[Secret, ...] = ()
        self._bound: dict[str, tuple[Secret, ...]] = {}
        self._few: tuple[Secret, ...] | None = ()
        for secret in secrets:
            self._add(secret)

    def __iter__(self) -> Iterator[Secret]:
        yield from self._unbound
        for secrets in self._bound.values():
            yield from secrets

    def candidates(self, webhook: Webhook) -> tuple[Secret, ...]:
        """Return the secrets that may have signed `webhook`.

        JSON may name its account anywhere. What it names is only a hint: whichever secret verifies it decides the account.
        """
        if _SID.fullmatch(webhook.account):
            return self._bound.get(webhook.account, ()) + self._unbound
        if self._few is not None:
            return self._few + self._unbound
        content = f"{webhook.request.target} ".encode() + webhook.request.body[:_SEARCHED]
        named = dict.fromkeys(found[0].decode() for found in islice(_ACCOUNT.finditer(content), _MOST_NAMED))
        return tuple(secret for account in named for secret in self._bound.get(account, ())) + self._unbound

    def _add(self, secret: Secret) -> None:
        if secret.account is None:
            self._unbound += (secret,)
            return
        self._bound[secret.account] = (*self._bound.get(secret.account, ()), secret)
        if self._few is not None:
            self._few = (*self._few, secret) if len(self._few) < _FEW else None


def parse_secrets(tokens: Iterable[str]) -> tuple[Secret, ...]:
    """Parse `token` and `ACxxx=token` items; return the secrets, named token1, token2, … by position."""
    return tuple(_parse(f"token{position}", token) for position, token in enumerate(tokens, start=1))


def parse_shared_keys(keys: Iterable[str]) -> dict[str, Secret]:
    """Parse `id=secret` and `ACxxx=id=secret` items; return the secrets by id, named key1, key2, … by position."""
    found = {}
    for position, key in enumerate(keys, start=1):
        account, pair = _split(key)
        id_, _, value = pair.partition("=")
        found[id_] = Secret(f"key{position}", value.encode(), account)
    return found


def unusual_tokens(secrets: Iterable[Secret]) -> Sequence[str]:
    """Return the names of tokens that are not 32 hexadecimal digits, as Twilio's are: they may be incomplete."""
    return [secret.name for secret in secrets if not _TOKEN.fullmatch(secret.value.decode(errors="replace"))]


def _parse(name: str, token: str) -> Secret:
    account, value = _split(token)
    return Secret(name, value.encode(), account)


def _split(text: str) -> tuple[str | None, str]:
    """Return the account that `text` begins with, None if there is none, and the rest."""
    bound = _BOUND.fullmatch(text)
    return (bound[1], bound[2]) if bound else (None, text)
