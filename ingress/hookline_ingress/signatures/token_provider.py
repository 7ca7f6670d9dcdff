"""The tokens of accounts that a function of the user returns, see `provider_function`.

A webhook that a known token verifies never comes here. One that is signed and that none verifies asks for the accounts that it
names, and waits for the answer. Of an account,

    nothing is known    the function is asked. Meanwhile, and if it fails, requests get a 503: Twilio calls the fallback URL or
                        comes again
    a token is known    it is in use for `cache_s`. A request that it does not verify asks again: it may have been changed
    a token expired     it is in use again for the first request that needs it, while the function is asked
    there is no token   requests get a 403, and nobody asks again for a minute

Anyone can name accounts, so calls are limited, more generously for addresses that have sent genuine webhooks. So are the
requests that wait, the answers that are kept, and the calls for one account.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

from aiojobs import Job

from hookline_ingress.limits.addresses import AddressLimit
from hookline_ingress.limits.budget import CallBudget
from hookline_ingress.metrics import TOKENS_ASKED
from hookline_ingress.signatures.provider_function import TIMEOUT_S, TOKENS_PROVIDER
from hookline_ingress.signatures.secrets import Secret
from hookline_ingress.signatures.twilio import Keyring, Verifier
from hookline_ingress.translation.webhook import Webhook
from hookline_shared.clock import Clock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.observability.secrets import SECRETS

MOST_ACCOUNTS: Final = 100_000
"""Accounts whose tokens are kept, those that are in use and those that have expired."""
_MOST_WITHOUT: Final = 10_000
"""Accounts of which is kept that they have no token, or that the function failed for them."""
_MOST_PENDING: Final = {False: 50, True: 1000}
"""Accounts that the function is being asked for, most of which wait for others, when one more is asked for: for a request of an
address that is genuine or not. While the function is slow, a flood must not stand in the way."""
_AGAIN_S: Final = 60.0
"""Seconds after which the same account may be asked for again."""
_AFTER_FAILURE_S: Final = 5.0
_BUDGETS: Final = {False: (10.0, 50.0), True: (100.0, 1000.0)}
"""Calls each second, and at once, for requests of addresses that are genuine or not."""
_MOST_ROUNDS: Final = 2
"""The second one is for a token that was in use again after it had expired, and was changed."""
_MOST_OF_ONE: Final = 4
_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_SWEEP_S: Final = 1.0
_WARN_INTERVAL_S: Final = 60.0
_FAILING_S: Final = 600.0
"""Seconds for which a failure is reported, unless a call succeeds."""
_FLOOD: Final = (
    f"{TOKENS_PROVIDER} is asked for too many accounts: someone sends webhooks of others' accounts, or many are new. "
    "Webhooks of accounts whose token is not known get a 503."
)

Value = TypeVar("Value")


class _Known(NamedTuple):
    """The tokens of an account, when they expire, and from when on it may be asked for again, in seconds on the clock."""

    tokens: tuple[Secret, ...]
    until: float
    ask_at: float


class ProviderLimits(NamedTuple):
    """For how many seconds tokens are used, and how many requests may wait for an answer at once."""

    cache_s: float
    most_waiting: int


class Retry(Protocol):
    """Tries a request again that waited."""

    def __call__(self, *, answered: bool) -> Sequence[str]:
        """Accept or refuse the request; return the accounts for which it must wait again. `answered` is whether it may."""
        ...


class TokenProvider:
    """Has `keyring` use the tokens that `call` returns for accounts. `addresses` knows the genuine ones."""

    def __init__(
        self,
        call: Callable[[str], Awaitable[object]],
        keyring: Keyring,
        addresses: AddressLimit,
        limits: "ProviderLimits",
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._call = call
        self._keyring = keyring
        self._addresses = addresses
        self._cache_s, self._most_waiting = limits
        self._clock = clock
        self._logger = logger
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._expired: OrderedDict[str, _Known] = OrderedDict()
        self._without: OrderedDict[str, float] = OrderedDict()
        self._failed: OrderedDict[str, float] = OrderedDict()
        self._pending: dict[str, asyncio.Task[None]] = {}
        self._budgets = {genuine: CallBudget(*budget) for genuine, budget in _BUDGETS.items()}
        self._retries: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._problem = ""
        self._failing_until = 0.0
        self._limited_at = float("-inf")
        self._quiet_until = 0.0
        self._sweeper: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to let tokens expire."""
        self._sweeper = await supervisor.spawn("tokens provider", self._sweep())

    async def stop(self) -> None:
        """End what is under way."""
        if self._sweeper is not None:
            await self._sweeper.close()
        pending = [*self._pending.values(), *self._retries]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    def warnings(self) -> list[str]:
        """Return what is wrong with the function now, or with those who make it be called."""
        now = self._clock.monotonic()
        limited = now - self._limited_at < _WARN_INTERVAL_S
        return [*([self._problem] if now < self._failing_until else []), *([_FLOOD] if limited else [])]

    def accounts_to_ask(self, verifier: Verifier, webhook: Webhook) -> Sequence[str]:
        """Return the accounts to ask for since `verifier` knows no token for `webhook`; none if it is not that of Twilio."""
        if verifier is not self._keyring:
            return ()
        now = self._clock.monotonic()
        return [one for one in self._keyring.accounts_named(webhook) if self._ask_at(one) <= now]

    def _ask_at(self, account: str) -> float:
        known = self._known.get(account)
        return self._without.get(account, 0.0) if known is None else known.ask_at

    def ask_for(self, accounts: Sequence[str], retry: Retry, address: str) -> None:
        """Ask for the tokens of `accounts`, and call `retry` of a request from `address` once they are known, or cannot be."""
        task = asyncio.create_task(self._retry(accounts, retry, genuine=self._addresses.is_genuine(address)))
        self._retries.add(task)
        task.add_done_callback(self._retries.discard)

    async def _retry(self, accounts: Sequence[str], retry: Retry, *, genuine: bool) -> None:
        for _ in range(_MOST_ROUNDS):
            accounts = retry(answered=await self.learn(accounts, genuine=genuine))
            if not accounts:
                return
        retry(answered=False)

    async def learn(self, accounts: Sequence[str], *, genuine: bool) -> bool:
        """Ask for the tokens of `accounts`, and wait; return whether a request can be verified again with an answer.

        If not, the function has failed, or has no time.
        """
        if reused := [account for account in accounts if self._reuse(account)]:
            for account in reused:
                self._ask(account, genuine=genuine)
            return True
        asked = [task for account in accounts if (task := self._ask(account, genuine=genuine)) is not None]
        if not asked or self._waiting >= (self._most_waiting if genuine else self._most_waiting // 2):
            return False
        self._waiting += 1
        try:
            await asyncio.wait(asked, timeout=TIMEOUT_S)
        finally:
            self._waiting -= 1
        return any(self._ask_at(account) > self._clock.monotonic() for account in accounts)

    def _reuse(self, account: str) -> bool:
        """Use a token again that has expired; return whether there is one."""
        expired = self._expired.pop(account, None)
        if expired is None:
            return False
        now = self._clock.monotonic()
        self._use(account, _Known(expired.tokens, now + _AGAIN_S, now))
        return True

    def _ask(self, account: str, *, genuine: bool) -> "asyncio.Task[None] | None":
        """Return the call for `account` that is under way, or begin one; None if there may be none now."""
        if (pending := self._pending.get(account)) is not None:
            return pending
        now = self._clock.monotonic()
        if self._failed.get(account, 0.0) > now:
            return None
        if len(self._pending) >= _MOST_PENDING[genuine] or not self._budgets[genuine].take(now):
            self._limited_at = now
            TOKENS_ASKED.count("limited")
            return None
        task = self._pending[account] = asyncio.create_task(self._ask_function(account), name=f"tokens of {account}")
        task.add_done_callback(lambda _: self._pending.pop(account, None))
        return task

    async def _ask_function(self, account: str) -> None:
        try:
            tokens = read_tokens(account, await self._call(account))
        except Exception as error:  # noqa: BLE001 - whatever the user's function raises
            self._fail(account, error)
            return
        now = self._clock.monotonic()
        self._failing_until = now
        self._failed.pop(account, None)
        TOKENS_ASKED.count("found" if tokens else "none")
        if tokens:
            SECRETS.add(token.value.decode() for token in tokens)
            self._without.pop(account, None)
            self._use(account, _Known(tokens, now + self._cache_s, now + _AGAIN_S))
        else:
            self._forget(account)
            _remember(self._without, account, now + _AGAIN_S)

    def _fail(self, account: str, error: Exception) -> None:
        """Note that the function failed. What was known stays in use."""
        now = self._clock.monotonic()
        TOKENS_ASKED.count("failed")
        _remember(self._failed, account, now + _AFTER_FAILURE_S)
        if (known := self._known.get(account)) is not None:
            self._use(account, known._replace(until=max(known.until, now + _AGAIN_S)))
        self._problem = (
            f"{TOKENS_PROVIDER} failed with {type(error).__name__}; the log has more. Webhooks of accounts whose token is not "
            "known get a 503; tokens that are known stay in use."
        )
        self._failing_until = now + _FAILING_S
        if now >= self._quiet_until:
            self._quiet_until = now + _WARN_INTERVAL_S
            self._logger.error("tokens provider failed", error=f"{type(error).__name__}: {error}", account=account)

    def _use(self, account: str, known: _Known) -> None:
        self._known[account] = known
        self._known.move_to_end(account)
        self._keyring.provide(account, known.tokens)
        if len(self._known) > MOST_ACCOUNTS:
            self._forget(next(iter(self._known)))

    def _forget(self, account: str) -> "_Known | None":
        """Use the tokens of `account` no more; return what was known."""
        known = self._known.pop(account, None)
        if known is not None:
            self._keyring.provide(account, ())
        return known

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(_SWEEP_S)
            self.expire()

    def expire(self) -> None:
        """Take tokens that have expired out of use, the oldest first."""
        now = self._clock.monotonic()
        while self._known and next(iter(self._known.values())).until <= now:
            account = next(iter(self._known))
            if (known := self._forget(account)) is not None:
                _remember(self._expired, account, known, MOST_ACCOUNTS)


def read_tokens(account: str, answer: object) -> tuple[Secret, ...]:
    """Return the tokens in what the function returned: a token, several, or None, named provided1, provided2, … in their order.

    Raises:
        ValueError: if it is neither, without quoting it.

    """
    if answer is None:
        return ()
    tokens = [answer] if isinstance(answer, str) else list(answer) if isinstance(answer, list | tuple | set | frozenset) else []
    if not 0 < len(tokens) <= _MOST_OF_ONE or not all(isinstance(one, str) and _TOKEN.fullmatch(one) for one in tokens):
        raise ValueError(
            f"it returned neither None nor a token of 32 hexadecimal digits in lower case, nor a list of up to {_MOST_OF_ONE}"
        )
    return tuple(Secret(f"provided{number}", token.encode(), account) for number, token in enumerate(tokens, start=1))


def _remember(kept: "OrderedDict[str, Value]", account: str, value: Value, most: int = _MOST_WITHOUT) -> None:
    kept[account] = value
    kept.move_to_end(account)
    if len(kept) > most:
        kept.popitem(last=False)
