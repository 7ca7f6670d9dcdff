"""Which secrets and URLs a request is verified against."""

from hookline_ingress.signatures.secrets import Secret, parse_secrets
from hookline_ingress.signatures.twilio import SIGNATURE, Keyring
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
