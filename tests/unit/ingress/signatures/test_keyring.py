"""Which secrets and URLs a request is verified against."""

from collections.abc import Callable
from hashlib import sha256
from time import thread_time

import pytest

from hookline_ingress.signatures import twilio
from hookline_ingress.signatures.secrets import Secret, parse_secrets
from hookline_ingress.signatures.twilio import SIGNATURE, Keyring, body_hash_matches, parse_settings
from tests.support.inbound.decoded import decoded_form
from tests.support.inbound.webhooks import sign

URL = "https://h.example.com"
FORM = [("AccountSid", "AC" + "1" * 32), ("Body", "hello")]
ACCOUNT, OTHER_ACCOUNT = "AC" + "1" * 32, "AC" + "2" * 32


def signer(keyring: Keyring, token: str, url: str = URL, account: str = ACCOUNT) -> str | None:
    signature = sign(token, f"{url}/twilio", tuple(FORM))
    found = keyring.verify(decoded_form(FORM, "/twilio", {SIGNATURE: signature}, account))
    return found.name if found else None


def test_secrets_are_named_by_position() -> None:
    """A secret has a name that says which it is and gives nothing away."""
    assert parse_secrets(["first", f"{ACCOUNT}=second"]) == (
        Secret("token1", b"first", None),
        Secret("token2", b"second", ACCOUNT),
    )


def test_old_and_new_token_are_accepted_during_a_rotation() -> None:
    """Both tokens verify, and the keyring says which did."""
    keyring = Keyring(parse_secrets(["primary", "secondary"]), [URL])
    assert signer(keyring, "primary") == "token1"
    assert signer(keyring, "secondary") == "token2"
    assert signer(keyring, "retired") is None


def test_bound_token_verifies_its_own_account_only() -> None:
    """The token of one account cannot sign for another, so a leaked one does not open the others."""
    keyring = Keyring(parse_secrets([f"{ACCOUNT}=tokenA", f"{OTHER_ACCOUNT}=tokenB"]), [URL])
    assert signer(keyring, "tokenA") == "token1"
    assert signer(keyring, "tokenB") is None
    assert signer(keyring, "tokenA", account=OTHER_ACCOUNT) is None
    assert signer(keyring, "tokenB", account="") == "token2", "a webhook that names no account may be anybody's"


def test_bound_and_unbound_tokens_together() -> None:
    """A token without an account serves every account, beside those that are bound."""
    keyring = Keyring(parse_secrets([f"{OTHER_ACCOUNT}=subaccount", "main-token"]), [URL])
    assert signer(keyring, "main-token") == "token2"
    assert signer(keyring, "subaccount", account=OTHER_ACCOUNT) == "token1"


def test_every_public_url_is_accepted_and_no_other() -> None:
    """Several base URLs, such as an old and a new domain, verify; a foreign one does not."""
    keyring = Keyring(parse_secrets(["token"]), [URL, "http://old.example.com:8080/prefix"])
    assert signer(keyring, "token") == "token1"
    assert signer(keyring, "token", "http://old.example.com:8080/prefix") == "token1"
    assert signer(keyring, "token", "http://old.example.com/prefix") == "token1"
    assert signer(keyring, "token", "http://old.example.com:8080") is None
    assert signer(keyring, "token", "https://evil.example.com") is None


def test_secret_does_not_show_in_the_name_of_the_signer() -> None:
    """What goes to logs and metrics is a name."""
    keyring = Keyring(parse_secrets(["s3cr3t"]), [URL])
    assert "s3cr3t" not in str(signer(keyring, "s3cr3t"))


@pytest.mark.parametrize("junk", ["a=b&", "%41&", "&", "=&", "bodySHA256&"])
def test_hash_of_a_body_is_found_at_once(junk: str) -> None:
    """It is the last parameter, and the only one of that name; a long query before it costs little."""
    body = b"{}"
    query = junk * (60_000 // len(junk))
    found = body_hash_matches(f"/twilio?{query}bodySHA256={sha256(body).hexdigest()}", body)
    assert found is ("bodySHA256" not in junk)
    assert not body_hash_matches(f"/twilio?bodySHA256={sha256(body).hexdigest()}&{query}", body)
    assert not body_hash_matches(f"/twilio?{query}xbodySHA256={sha256(body).hexdigest()}", body)
    assert shortest(lambda: body_hash_matches(f"/twilio?{query}", body)) < 100 * TIME_OF_A_LARGE_HEAD


def test_settings_of_a_signature_are_few() -> None:
    """A header of 60 kB that names the key costs no more than to hash it."""
    assert parse_settings("key=k,algorithm=HMAC_SHA256") == ("k", "HMAC_SHA256")
    assert shortest(lambda: parse_settings("a," * 30_000)) < TIME_OF_A_LARGE_HEAD


def test_long_requests_are_not_kept() -> None:
    """Forged signatures, URLs and headers as long as a head allows do not fill the caches."""
    keyring = Keyring(parse_secrets(["token"]), [URL])
    twilio._keyed.cache_clear()
    for headers, target in (({SIGNATURE: "x" * 5000}, "/twilio"), ({SIGNATURE: "x"}, "/twilio?" + "y" * 5000)):
        assert keyring.verify(decoded_form(FORM, target, headers, ACCOUNT)) is None
    assert keyring._cached_search.cache_info().currsize == 0
    assert twilio._keyed.cache_info().currsize == 2, "the short URL, with and without the port"


def shortest(work: Callable[[], object]) -> float:
    """Return the shortest of several times that `work` takes, in seconds of this thread."""
    times = []
    for _ in range(9):
        began = thread_time()
        work()
        times.append(thread_time() - began)
    return min(times)


TIME_OF_A_LARGE_HEAD = shortest(lambda: sha256(b"x" * 60_000).digest())
"""Seconds to hash as much as a head may have."""
