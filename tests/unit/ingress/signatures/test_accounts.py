"""Which account a webhook is of: that of the token that verified it, whatever it says itself. And: many tokens cost no time."""

from json import dumps
from time import thread_time
from urllib.parse import urlencode

import pytest
from multidict import CIMultiDict

from hookline_ingress.http.request import Request
from hookline_ingress.signatures.secrets import Secret, Secrets, parse_secrets, parse_shared_keys, unusual_tokens
from hookline_ingress.signatures.twilio import SIGNATURE, Keyring
from hookline_ingress.translation.translate import translate
from hookline_ingress.translation.webhook import Webhook as Decoded
from hookline_ingress.translation.webhook import decode
from hookline_processor.events.events import typed
from hookline_shared.event import Event
from tests.support.inbound.kinds import message
from tests.support.inbound.products import stream_event
from tests.support.inbound.webhooks import FORM, JSON, PUBLIC_URL, TOKEN, Twilio, Webhook

OWN, VICTIM = "AC" + "2" * 32, "AC" + "1" * 32
OWN_TOKEN = "f" * 32
BOUND = Keyring(parse_secrets([f"{OWN}={OWN_TOKEN}", f"{VICTIM}={TOKEN}"]), [PUBLIC_URL])
HOLDER = Twilio(OWN_TOKEN)
MANY = 100_000


def decoded(webhook: Webhook) -> Decoded:
    request = Request(webhook.method, webhook.target, CIMultiDict(webhook.headers), webhook.body, "", 0.0)
    return decode(request, webhook.headers[SIGNATURE], 1_750_000_000_000)


def events(webhook: Webhook, keyring: Keyring = BOUND) -> list[Event]:
    """Return the events that ingress makes of `webhook`, none if it refuses it."""
    one = decoded(webhook)
    signer = keyring.verify(one)
    return [made.event for made in translate(one.of_account(signer.account), signer.name, None)] if signer else []


def with_type(webhook: Webhook, content_type: str) -> Webhook:
    return webhook.with_header("Content-Type", content_type)


NAMED = urlencode({"AccountSid": VICTIM, "MessageSid": "SM" + "3" * 32, "Body": "pay me", "From": "+1"})
NO_BODY = "bodySHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
FORGERIES = {
    "form": HOLDER.webhook(message(AccountSid=VICTIM)),
    "empty form, account in the query": with_type(HOLDER.webhook([], f"/twilio?{NAMED}"), FORM),
    "no type, account in the query": HOLDER.webhook([], f"/twilio?{NAMED}").without_header("Content-Type"),
    "JSON type, empty body": with_type(HOLDER.webhook([], f"/twilio?{NAMED}"), JSON),
    "JSON type, empty body, hashed": with_type(HOLDER.webhook([], f"/twilio?{NAMED}&{NO_BODY}"), JSON),
    "the other name": HOLDER.webhook([("AccountSid", OWN), ("account_sid", VICTIM), ("uuid", "1"), ("type", "factor.created")]),
    "twice": HOLDER.webhook([("AccountSid", VICTIM), ("AccountSid", OWN)]),
    "element": HOLDER.json(dumps([stream_event() | {"AccountSid": VICTIM, "account_sid": VICTIM}]).encode()),
    "object": HOLDER.json(dumps({"AccountSid": VICTIM, "uuid": "1", "type": "x"}).encode()),
    "GET": HOLDER.get([("AccountSid", VICTIM)]),
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES)
def test_bound_token_speaks_for_its_own_account(forged: Webhook) -> None:
    """The holder of one account's token makes no event of another: not for Redis, and not for a handler."""
    for event in events(forged):
        assert event.account == OWN
        assert typed(event).account_sid == OWN
        assert OWN in event.dedupe_key
        assert typed(event).params.get("From", "") != "+1", "the query of a POST is no content"


def test_handler_sees_what_was_verified() -> None:
    """With a token for all accounts, it is the account that the signed parameters name."""
    keyring = Keyring(parse_secrets([TOKEN]), [PUBLIC_URL])
    (event,) = events(Twilio().webhook(message()), keyring)
    assert typed(event).account_sid == VICTIM
    (element,) = events(Twilio().json(dumps([stream_event() | {"AccountSid": VICTIM}]).encode()), keyring)
    assert typed(element).account_sid == VICTIM, "nothing but that token could have signed it"


def test_bound_shared_key() -> None:
    """A shared key that is bound to an account signs for no other, and none signs with SHA-1."""
    keys = parse_shared_keys([f"{OWN}=SK1=a-shared-secret", "SK2=another=secret"])
    assert keys == {"SK1": Secret("key1", b"a-shared-secret", OWN), "SK2": Secret("key2", b"another=secret")}
    keyring = Keyring(parse_secrets([TOKEN]), [PUBLIC_URL], keys)
    bound, free = Twilio("a-shared-secret", key_id="SK1"), Twilio("another=secret", key_id="SK2")
    assert not events(bound.webhook(message()), keyring)
    assert [event.account for event in events(bound.webhook(message(AccountSid=OWN)), keyring)] == [OWN]
    assert [event.account for event in events(bound.json(b"[{}]"), keyring)] == [OWN]
    assert [event.account for event in events(free.webhook(message()), keyring)] == [VICTIM]
    weak = Twilio("another=secret").webhook(message())
    for algorithm in ("HMAC_SHA1", ""):
        assert not events(weak.with_header("X-Twilio-Webhooks-Signature-Settings", f"key=SK2,algorithm={algorithm}"), keyring)
    assert not events(weak.with_header("X-Twilio-Webhooks-Signature-Settings", "key=SK2"), keyring)


@pytest.fixture(scope="module")
def many() -> Keyring:
    """Return a keyring with a token for each of 100,000 subaccounts."""
    return Keyring([Secret("accounts1", b"%032x" % number, f"AC{number:032x}") for number in range(MANY)], [PUBLIC_URL])


def test_many_tokens_are_found_by_account(many: Keyring) -> None:
    """A webhook is verified with the tokens of its account: genuine or forged, as a form, or as JSON that names it anywhere."""
    account = f"AC{MANY // 2:032x}"
    twilio = Twilio(f"{MANY // 2:032x}")
    for made in (
        twilio.webhook(message(AccountSid=account)),
        twilio.json(dumps([{"data": {"accountSid": account}}]).encode()),
        twilio.json(b"[{}]", f"/twilio?account={account}"),
    ):
        assert [event.account for event in events(made, many)] == [account]
    assert not events(twilio.webhook(message(AccountSid="AC" + "0" * 31 + "1")), many)


@pytest.mark.parametrize("body", [b"[{}]", dumps([f"AC{number:032x}" for number in range(1000)]).encode()])
def test_no_webhook_is_tried_with_many_tokens(many: Keyring, body: bytes) -> None:
    """Not even JSON that names no account, or a thousand."""
    found = Secrets(many._own).candidates(decoded(Twilio().json(body)))
    assert len(found) <= 8


def test_time_with_many_tokens(many: Keyring) -> None:
    """A forged webhook takes 0.1 ms at most, and says so; a machine that is busy has several attempts."""
    forged = [decoded(Twilio("e" * 32).webhook(message(AccountSid=f"AC{number:032x}"))) for number in range(200)]

    def attempt() -> float:
        started = thread_time()
        assert not any(map(many.verify, forged))
        return (thread_time() - started) / len(forged)

    best = min(attempt() for _ in range(10))
    print(f"{best * 1e6:.1f} us for a forged webhook, {MANY} tokens")
    assert best <= 1e-4


def test_added_tokens_replace_those_added_before() -> None:
    """A new subaccount, a rotation and a removal take effect with the next webhook; the tokens of the settings stay."""
    keyring = Keyring(parse_secrets([TOKEN]), [PUBLIC_URL])
    own = HOLDER.webhook(message(AccountSid=OWN))
    assert not events(own, keyring)
    keyring.use(keyring.with_tokens([Secret("accounts1", OWN_TOKEN.encode(), OWN)]))
    assert [event.signer for event in events(own, keyring)] == ["accounts1"]
    keyring.use(keyring.with_tokens([]))
    assert not events(own, keyring)
    assert events(Twilio().webhook(message()), keyring)


def test_many_mentions_of_one_account_are_one() -> None:
    """An array may name the account of its signature behind many mentions of others, and anywhere in a large body."""
    accounts = [f"AC{number:032x}" for number in range(20)]
    keyring = Keyring(parse_secrets(f"{one}={number:032x}" for number, one in enumerate(accounts)), [PUBLIC_URL])
    elements = [{"id": "EZ1", "of": accounts[3]}] * 8 + [{"id": "EZ2", "text": "x" * 70_000}, {"of": accounts[5]}]
    signed = Twilio(f"{5:032x}").json(dumps(elements).encode())
    assert {event.account for event in events(signed, keyring)} == {accounts[5]}


def test_token_that_is_bound_is_bound() -> None:
    """The same token may be given without its account, too: the account of an event must not depend on what came before."""
    array = Twilio().json(dumps([stream_event(id="EZ1")]).encode())
    for tokens in ([TOKEN, f"{VICTIM}={TOKEN}"], [f"{VICTIM}={TOKEN}", TOKEN]):
        keyring = Keyring(parse_secrets(tokens), [PUBLIC_URL])
        for between in (message(), message(AccountSid=OWN), message(AccountSid="")):
            assert [event.account for event in events(array, keyring)] == [VICTIM]
            events(Twilio().webhook(between), keyring)
        assert [event.account for event in events(array, keyring)] == [VICTIM]


@pytest.mark.parametrize("key", [f"{OWN}=secretvalue", f"{OWN}=c2VjcmV0cw=="])
def test_id_of_a_shared_key_may_look_like_an_account(key: str) -> None:
    """What follows is its secret, with all equals signs, and never an empty one."""
    assert parse_shared_keys([key]) == {OWN: Secret("key1", key.removeprefix(f"{OWN}=").encode())}


def test_accounts_are_as_twilio_writes_them() -> None:
    """An account that was copied in upper case is the same one."""
    upper = "AC" + "AB" * 16
    (token,) = parse_secrets([f"{upper}={TOKEN}"])
    assert token.account == parse_shared_keys([f"{upper}=SK1=secret"])["SK1"].account == "AC" + "ab" * 16


def test_tokens_that_do_not_look_like_tokens_are_named() -> None:
    """Twilio's tokens are 32 hexadecimal digits: another one may have been cut off."""
    assert unusual_tokens(parse_secrets([TOKEN, f"{OWN}={OWN_TOKEN}", TOKEN[:-1], "a" * 31 + "g"])) == ["token3", "token4"]


def test_secret_does_not_print_its_value() -> None:
    """Whatever ends up in a log line or a traceback."""
    assert TOKEN not in repr(parse_secrets([TOKEN])) + str(Secret("token1", TOKEN.encode()))
