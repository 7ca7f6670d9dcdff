"""The secrets that sign webhooks: auth tokens and shared keys, found by the account that they are bound to. Pure.

Whether there is one token or one for each of 100,000 subaccounts, a request is verified with a few of them: those of the
account that it names, and those that are bound to none.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple, Protocol

from hookline_ingress.translation.webhook import Webhook

TOKENS_PATH: Final = "TWILIO_TOKENS_PATH"
"""The setting that names the file with the tokens of subaccounts, see `tokens_file.py`."""

_BOUND: Final = re.compile(r"(?:(AC[0-9a-fA-F]{32})=)?(.+)")
_SHARED_KEY: Final = re.compile(r"(?:(AC[0-9a-fA-F]{32})=(?=[^\s=]+=))?([^\s=]+)=(\S{5,})")
_TOKEN: Final = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
_SID: Final = re.compile(r"AC[0-9a-fA-F]{32}")
_ACCOUNT: Final = re.compile(rb"AC[0-9a-f]{32}")
_MOST_NAMED: Final = 8
"""The accounts in a body whose secrets are tried."""
_MOST_ASKED: Final = 2
"""The accounts in a body that a provider of tokens is asked for."""
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
        self._configured: dict[str, tuple[Secret, ...]] | None = None
        known = tuple(secrets)
        bound = {secret.value for secret in known if secret.account}
        for secret in known:
            if secret.account or secret.value not in bound:  # else the account of its webhooks would be that of either
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
        mentions = _ACCOUNT.findall(f"{webhook.request.target} ".encode() + webhook.request.body)
        known = (account for mention in dict.fromkeys(mentions) if (account := mention.decode()) in self._bound)
        return tuple(secret for account in islice(known, _MOST_NAMED) for secret in self._bound[account]) + self._unbound

    def provide(self, account: str, secrets: Sequence[Secret]) -> None:
        """Use `secrets` for `account`, beside those that it was made with, and instead of those that were provided before."""
        if self._configured is None:
            self._configured = dict(self._bound)
        self._bound[account] = (*self._configured.get(account, ()), *secrets)
        if not self._bound[account]:
            del self._bound[account]
        few = tuple(chain.from_iterable(self._bound.values())) if len(self._bound) <= _FEW else ()
        self._few = few if len(self._bound) <= _FEW and len(few) <= _FEW else None

    def named_accounts(self, webhook: Webhook) -> Sequence[str]:
        """Return the accounts whose token may have signed `webhook`: the one that it names, or the first that JSON mentions."""
        if _SID.fullmatch(webhook.account):
            return [webhook.account]
        mentions = _ACCOUNT.findall(f"{webhook.request.target} ".encode() + webhook.request.body)
        return [mention.decode() for mention in dict.fromkeys(mentions)][:_MOST_ASKED]

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
    """Parse `id=secret` and `ACxxx=id=secret` items; return the secrets by id, named key1, key2, … by position.

    Raises:
        ValueError: naming the position of an item that is neither.

    """
    found = {}
    for position, key in enumerate(keys, start=1):
        account, id_, value = _parts_of_shared_key(position, key)
        found[id_] = Secret(f"key{position}", value.encode(), normal_sid(account))
    return found


def normal_sid(account: str | None) -> str | None:
    """Return the SID of an account as Twilio sends it: its digits are lower case."""
    return account and account[:2] + account[2:].lower()


def _parts_of_shared_key(position: int, key: str) -> Sequence[str]:
    found = _SHARED_KEY.fullmatch(key)
    if found is None:
        raise ValueError(f"number {position} is not of the form id=secret or ACxxx=id=secret (a 34-character account SID)")
    return found.groups()


def unusual_tokens(secrets: Iterable[Secret]) -> Sequence[str]:
    """Return the names of tokens that are not 32 hexadecimal digits, as Twilio's are: they may be incomplete."""
    return [secret.name for secret in secrets if not _TOKEN.fullmatch(secret.value.decode(errors="replace"))]


def _parse(name: str, token: str) -> Secret:
    bound = _BOUND.fullmatch(token)
    return Secret(name, bound[2].encode(), normal_sid(bound[1])) if bound else Secret(name, token.encode())
