"""Tokens from a function of the user: when it is asked, how often, and what its answers mean."""

import asyncio
from collections.abc import AsyncIterator, Callable
from json import dumps

import pytest
from multidict import CIMultiDict

from hookline_ingress.http.request import Request
from hookline_ingress.limits.addresses import AddressLimit, GenuineAddresses
from hookline_ingress.limits.rates import Rate
from hookline_ingress.signatures.secrets import parse_secrets, parse_shared_keys
from hookline_ingress.signatures.token_provider import ProviderLimits, TokenProvider, read_tokens
from hookline_ingress.signatures.twilio import SIGNATURE, Keyring
from hookline_ingress.translation.webhook import Webhook as Decoded
from hookline_ingress.translation.webhook import decode
from hookline_shared.observability.secrets import SECRETS
from tests.support.inbound.kinds import message
from tests.support.inbound.products import stream_event
from tests.support.inbound.webhooks import PUBLIC_URL, TOKEN, Twilio, Webhook
from tests.support.observability.logbook import Logbook
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until

ACCOUNT, OTHER = "AC" + "5" * 32, "AC" + "7" * 32
FIRST, SECOND = "5" * 32, "6" * 32
CACHE_S = 600
MOST_WAITING = 4


def number(at: int) -> str:
    """Return the SID of an account."""
    return f"AC{at:032x}"


class Bench:
    """A provider whose function answers with `tokens`, or as a test says. `asked` are the accounts it was called with."""

    def __init__(self, clock: ManualClock, logbook: Logbook) -> None:
        self.clock = clock
        self.logbook = logbook
        self.keyring = Keyring(parse_secrets([TOKEN]), [PUBLIC_URL], parse_shared_keys(["key=secret"]))
        self.tokens: dict[str, object] = {}
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.going = asyncio.Event()
        self.going.set()
        self.provider = TokenProvider(
            self._answer,
            self.keyring,
            AddressLimit(Rate(10, 100), clock, GenuineAddresses(clock)),
            ProviderLimits(CACHE_S, MOST_WAITING),
            clock,
            logbook.logger,
        )

    async def _answer(self, account: str) -> object:
        self.asked.append(account)
        await self.going.wait()
        if self.error is not None:
            raise self.error
        return self.tokens.get(account)

    async def accepts(self, webhook: Webhook, *, genuine: bool = True) -> bool | None:
        """Return whether `webhook` is verified; None if it should come again later. This is what `webhooks.py` does."""
        one = decoded(webhook)
        for _ in range(3):
            if self.keyring.verify(one) is not None:
                return True
            if not (accounts := self.provider.accounts_to_ask(self.keyring, one)):
                return False
            if not await self.provider.learn(accounts, genuine=genuine):
                return None
        raise AssertionError("it asks for ever")


def decoded(webhook: Webhook) -> Decoded:
    request = Request(webhook.method, webhook.target, CIMultiDict(webhook.headers), webhook.body, "", 0.0)
    return decode(request, webhook.headers[SIGNATURE], 1_750_000_000_000)


def signed(token: str, account: str = ACCOUNT) -> Webhook:
    return Twilio(token).webhook(message(AccountSid=account))


@pytest.fixture
async def bench(clock: ManualClock, logbook: Logbook) -> AsyncIterator[Bench]:
    """Yield a provider, and end what it has begun."""
    bench = Bench(clock, logbook)
    yield bench
    await bench.provider.stop()


async def test_token_is_asked_for_once(bench: Bench) -> None:
    """The first webhook of an account waits for its token; the next ones are verified without the function."""
    bench.tokens[ACCOUNT] = FIRST
    for _ in range(3):
        assert await bench.accepts(signed(FIRST))
    assert bench.asked == [ACCOUNT]
    signer = bench.keyring.verify(decoded(signed(FIRST)))
    assert signer is not None
    assert (signer.name, signer.account) == ("provided1", ACCOUNT)
    assert SECRETS.hide(f"it is {FIRST}") == "it is [redacted]"


async def test_known_tokens_ask_nobody(bench: Bench) -> None:
    """What a configured token verifies never reaches the function, whichever account it names."""
    assert await bench.accepts(signed(TOKEN))
    assert bench.asked == []


async def test_requests_of_one_account_share_a_call(bench: Bench) -> None:
    """However many webhooks of a new account come at once, the function is called once, and all of them are verified."""
    bench.tokens[ACCOUNT] = FIRST
    bench.going.clear()
    waiting = [asyncio.create_task(bench.accepts(signed(FIRST))) for _ in range(MOST_WAITING)]
    await until(lambda: bench.provider._waiting == MOST_WAITING, "they wait")
    assert await bench.accepts(signed(FIRST)) is None, "one more comes again later"
    bench.going.set()
    assert await asyncio.gather(*waiting) == [True] * MOST_WAITING
    assert bench.asked == [ACCOUNT]


async def test_account_without_a_token(bench: Bench, clock: ManualClock) -> None:
    """That there is none is remembered for a minute; then a new account may have got one."""
    for _ in range(3):
        assert await bench.accepts(signed(FIRST)) is False
    assert bench.asked == [ACCOUNT]
    bench.tokens[ACCOUNT] = FIRST
    await clock.advance(61)
    assert await bench.accepts(signed(FIRST))
    assert bench.asked == [ACCOUNT] * 2


async def test_changed_token(bench: Bench, clock: ManualClock) -> None:
    """A webhook that the known token does not verify asks again, at most once a minute; then the old token counts no more."""
    bench.tokens[ACCOUNT] = FIRST
    assert await bench.accepts(signed(FIRST))
    bench.tokens[ACCOUNT] = SECOND
    assert await bench.accepts(signed(SECOND)) is False
    await clock.advance(61)
    assert await bench.accepts(signed(SECOND))
    assert await bench.accepts(signed(FIRST)) is False
    assert len(bench.asked) == 2


async def test_two_tokens_during_a_rotation(bench: Bench) -> None:
    """A list of tokens is used as a whole."""
    bench.tokens[ACCOUNT] = [FIRST, SECOND]
    assert await bench.accepts(signed(FIRST))
    assert await bench.accepts(signed(SECOND))
    assert len(bench.asked) == 1


async def test_expired_token_delays_nobody(bench: Bench, clock: ManualClock) -> None:
    """A token that has expired is used while the function is asked again; what it says then counts."""
    bench.tokens[ACCOUNT] = FIRST
    assert await bench.accepts(signed(FIRST))
    await clock.advance(CACHE_S + 1)
    bench.provider.expire()
    assert bench.keyring.verify(decoded(signed(FIRST))) is None
    bench.going.clear()
    bench.tokens.clear()
    assert await bench.accepts(signed(FIRST))
    bench.going.set()
    await until(lambda: not bench.provider._pending, "it has answered")
    assert len(bench.asked) == 2
    assert await bench.accepts(signed(FIRST)) is False, "it is taken back"


async def test_known_tokens_survive_a_failure(bench: Bench, clock: ManualClock) -> None:
    """While the function fails, tokens that are known stay in use, new accounts come again later, and it is reported."""
    bench.tokens[ACCOUNT] = FIRST
    assert await bench.accepts(signed(FIRST))
    bench.error = OSError("vault is away")
    for _ in range(5):
        await clock.advance(CACHE_S / 2 + 1)
        bench.provider.expire()
        assert await bench.accepts(signed(FIRST))
        await until(lambda: not bench.provider._pending, "it has failed")
    assert await bench.accepts(signed(SECOND, OTHER)) is None
    calls = len(bench.asked)
    assert await bench.accepts(signed(SECOND, OTHER)) is None
    assert len(bench.asked) == calls, "it is not asked again at once"
    (warning,) = bench.provider.warnings()
    assert "TWILIO_TOKENS_PROVIDER failed with OSError" in warning
    line = bench.logbook.find("tokens provider failed")
    assert line is not None
    assert line["error"] == "OSError: vault is away"
    bench.error = None
    bench.tokens[OTHER] = SECOND
    await clock.advance(6)
    assert await bench.accepts(signed(SECOND, OTHER))
    assert bench.provider.warnings() == []


async def test_wrong_answers_are_failures(bench: Bench) -> None:
    """What is no token is reported without being quoted, and refuses nothing for good."""
    bench.tokens[ACCOUNT] = "not a token"
    assert await bench.accepts(signed(FIRST)) is None
    assert "not a token" not in str(bench.logbook.lines)
    assert bench.provider.warnings()


@pytest.mark.parametrize("answer", ["", "5" * 31, "A" * 32, [], [FIRST, 1], [FIRST] * 5, 5, {FIRST: 1}, b"5" * 32, object()])
def test_what_is_no_answer(answer: object) -> None:
    """A token has 32 digits, as Twilio's have; an account has up to four."""
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        read_tokens(ACCOUNT, answer)


@pytest.mark.parametrize(("answer", "tokens"), [(None, 0), (FIRST, 1), ((FIRST, SECOND), 2), ({FIRST}, 1)])
def test_answers(answer: object, tokens: int) -> None:
    """None, a token and several are answers."""
    assert len(read_tokens(ACCOUNT, answer)) == tokens


async def test_flood_of_accounts_is_bounded(bench: Bench, clock: ManualClock) -> None:
    """Whoever names thousands of accounts makes the function be called at a limited rate, and delays no genuine address."""
    for at in range(1000):
        assert await bench.accepts(signed(FIRST, number(at)), genuine=False) in (False, None)
    assert len(bench.asked) == 50
    assert "too many accounts" in bench.provider.warnings()[0]
    bench.tokens[ACCOUNT] = FIRST
    assert await bench.accepts(signed(FIRST))
    for at in range(1000, 2000):
        await clock.advance(0.01)
        await bench.accepts(signed(FIRST, number(at)), genuine=False)
    assert len(bench.asked) - 51 == pytest.approx(100, abs=2)


async def test_flood_does_not_wait_in_front(bench: Bench, clock: ManualClock) -> None:
    """While the function hangs, accounts that anyone names are not queued without end in front of genuine ones."""
    bench.going.clear()

    def send(account: str, *, genuine: bool) -> "asyncio.Task[bool | None]":
        return asyncio.create_task(bench.accepts(signed(FIRST, account), genuine=genuine))

    waiting = [send(number(at), genuine=False) for at in range(49)]
    await until(lambda: len(bench.asked) == 49, "it is asked")
    await clock.advance(60)
    waiting += [send(number(at), genuine=False) for at in range(100, 110)] + [send(ACCOUNT, genuine=True)]
    await until(lambda: ACCOUNT in bench.asked, "the genuine one is asked for")
    assert len(bench.asked) == 51
    bench.going.set()
    await asyncio.gather(*waiting)


async def test_what_is_kept_is_bounded(bench: Bench, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are kept for so many accounts, and those without a token never displace those with one."""
    monkeypatch.setattr("hookline_ingress.signatures.token_provider._MOST_WITHOUT", 3)
    monkeypatch.setattr("hookline_ingress.signatures.token_provider.MOST_ACCOUNTS", 5)
    bench.tokens = {number(at): FIRST for at in range(8)}
    for at in range(8):
        assert await bench.accepts(signed(FIRST, number(at)))
    for at in range(100, 120):
        assert await bench.accepts(signed(FIRST, number(at))) is False
    provider = bench.provider
    assert list(provider._known) == [number(at) for at in range(3, 8)]
    assert len(provider._without) <= 10_000
    assert bench.keyring.verify(decoded(signed(FIRST, number(0)))) is None
    calls = len(bench.asked)
    assert await bench.accepts(signed(FIRST, number(7)))
    assert len(bench.asked) == calls


async def test_json_asks_for_the_accounts_it_mentions(bench: Bench) -> None:
    """JSON names its account anywhere: the first two are asked for, and the secret decides whose it is."""
    bench.tokens[OTHER] = SECOND
    event = stream_event() | {"source": f"/2010-04-01/Accounts/{ACCOUNT}", "data": {"accountSid": OTHER, "other": number(1)}}
    assert await bench.accepts(Twilio(SECOND).json(dumps([event]).encode()))
    assert bench.asked == [ACCOUNT, OTHER]


async def test_parent_account_is_asked_for(bench: Bench) -> None:
    """What is about a subaccount may be signed by its parent."""
    webhook = Twilio(SECOND).webhook([*message(AccountSid=ACCOUNT), ("ParentAccountSid", OTHER)])
    assert bench.keyring.accounts_named(decoded(webhook)) == [ACCOUNT, OTHER]


UNVERIFIABLE: dict[str, Callable[[], Webhook]] = {
    "no account": lambda: Twilio(FIRST).webhook([("Body", "x")]),
    "no SID": lambda: Twilio(FIRST).webhook(message(AccountSid="AC1")),
    "shared key": lambda: signed(FIRST).with_header("X-Twilio-Webhooks-Signature-Settings", "key=x,algorithm=HMAC_SHA256"),
    "wrong hash of the body": lambda: Twilio(FIRST).json(dumps({"AccountSid": ACCOUNT}).encode()).with_body(b"{}"),
    "wrong name of a parameter": lambda: Twilio(FIRST).webhook([*message(AccountSid=ACCOUNT), ("a/b", "c")]),
}


@pytest.mark.parametrize("case", UNVERIFIABLE)
async def test_what_no_token_could_verify_asks_nobody(bench: Bench, case: str) -> None:
    """Only a token that is missing is asked for."""
    assert await bench.accepts(UNVERIFIABLE[case]()) is False
    assert bench.asked == []
