"""Credentials: of one account, of several, and those that ingress has anyway."""

from pathlib import Path

import pytest

from hookline_processor.media.addresses import Credentials
from hookline_processor.sender.settings import SenderSettings
from hookline_processor.sender.twilio_client import Twilio
from hookline_processor.settings import ProcessorSettings
from hookline_shared.clock import SystemClock
from hookline_shared.errors import SettingsError

ONE, OTHER, THIRD = ("AC" + digit * 32 for digit in "123")
KEY = "SK" + "4" * 32
REDIS = {"REDIS_URL": "redis://127.0.0.1"}


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def sender(**variables: str) -> SenderSettings:
    """Return the settings with `variables`."""
    return ProcessorSettings.load(REDIS | variables).sender


def test_no_credentials() -> None:
    """Nothing is sent, of no account."""
    settings = sender()
    assert not settings.complete
    assert settings.credentials(ONE) is None
    assert not Twilio(settings, SystemClock()).has_credentials("")


def test_credentials_of_one_account() -> None:
    """They are for its subaccounts as well; an API key has a user name of its own."""
    settings = sender(TWILIO_ACCOUNT_SID=ONE, TWILIO_API_SECRET="secret")
    assert settings.credentials(OTHER) == Credentials(ONE, "secret")
    settings = sender(TWILIO_ACCOUNT_SID=ONE, TWILIO_API_KEY=KEY, TWILIO_API_SECRET="secret")
    assert settings.credentials("") == Credentials(KEY, "secret")


@pytest.mark.parametrize(("tokens", "used"), [("abc", "abc"), ("abc,def", "abc"), (f"{ONE}=abc, def", "abc"), (" abc ", "abc")])
def test_auth_token_of_ingress(tokens: str, used: str) -> None:
    """It is used where there is no secret for sending, and not where that is set."""
    assert sender(TWILIO_ACCOUNT_SID=ONE, TWILIO_AUTH_TOKEN=tokens).credentials(ONE) == Credentials(ONE, used)
    assert sender(TWILIO_ACCOUNT_SID=ONE, TWILIO_AUTH_TOKEN=tokens, TWILIO_API_SECRET="own").api_secret == "own"


@pytest.mark.parametrize(
    ("urls", "callback"),
    [
        ("https://hooks.example.com", "https://hooks.example.com/twilio/status"),
        ("https://hooks.example.com/base/, https://other.example.com", "https://hooks.example.com/base/twilio/status"),
        ("http://127.0.0.1:8080", None),
        ("http://10.0.0.1:8080", None),
        ("http://[::1]:8080", None),
        ("http://localhost:8080", None),
        ("http://ingress:8080", None),
        ("https://hooks.internal", None),
    ],
)
def test_status_callback(urls: str, callback: str | None) -> None:
    """It is derived from the URL of ingress, if Twilio can reach that: it refuses messages with another one."""
    assert sender(PUBLIC_URL=urls).status_callback == callback
    own = sender(PUBLIC_URL=urls, TWILIO_STATUS_CALLBACK="https://own.example.com/status")
    assert own.status_callback == "https://own.example.com/status"


def test_several_accounts(tmp_path: Path) -> None:
    """Each with a table of its own, for it alone; the secret is in no setting, and in no log."""
    (tmp_path / "first").write_text("first-secret\n")
    (tmp_path / "second").write_text("second-secret")
    (tmp_path / "hookline.toml").write_text(
        f'[[accounts]]\nsid = "{OTHER}"\napi_key = "{KEY}"\napi_secret_file = "first"\n'
        f'[[accounts]]\nsid = "{THIRD}"\napi_secret_file = "second"\n'
    )
    settings = sender()
    assert settings.credentials(OTHER) == Credentials(KEY, "first-secret")
    assert settings.credentials(THIRD) == Credentials(THIRD, "second-secret")
    assert settings.credentials(ONE) is None
    assert settings.complete
    assert settings.default_account == ""
    assert "secret" not in repr(settings).replace("api_secret_file", "")
    assert set(settings.secrets) == {"first-secret", "second-secret"}
    both = sender(TWILIO_ACCOUNT_SID=ONE, TWILIO_API_SECRET="main-secret")
    assert both.credentials(ONE) == Credentials(ONE, "main-secret")
    assert both.credentials(OTHER) == Credentials(KEY, "first-secret")
    assert both.default_account == ONE
    twilio = Twilio(both, SystemClock())
    assert twilio.has_credentials(OTHER)
    assert twilio.account("") == ONE


def test_only_account_is_the_default(tmp_path: Path) -> None:
    """What names no account is sent from it."""
    (tmp_path / "first").write_text("first-secret\n")
    (tmp_path / "hookline.toml").write_text(f'[[accounts]]\nsid = "{OTHER}"\napi_secret_file = "first"\n')
    twilio = Twilio(sender(), SystemClock())
    assert twilio.account("") == OTHER
    assert twilio.has_credentials("")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (f'sid = "{ONE}"', "api_secret_file"),
        (f'sid = "{ONE}"\napi_secret_file = "missing"', "missing cannot be read: No such file"),
        (f'sid = "{ONE}"\napi_secret_file = "empty"', "empty is empty"),
        ('sid = "AC1"\napi_secret_file = "right"', "SID of an account"),
        (f'sid = "{ONE}"\napi_key = "{ONE}"\napi_secret_file = "right"', "SID of an API key"),
        (f'sid = "{ONE}"\napi_secret = "abc"\napi_secret_file = "right"', "there is no such key"),
        (f'sid = "{ONE}"\napi_secret_file = "right"\n[[accounts]]\nsid = "{ONE}"\napi_secret_file = "right"', "2 accounts"),
    ],
)
def test_wrong_tables(tmp_path: Path, table: str, said: str) -> None:
    """The error names the account and what is wrong, at the start."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "right").write_text("secret")
    (tmp_path / "hookline.toml").write_text(f"[[accounts]]\n{table}\n")
    with pytest.raises(SettingsError, match=said):
        sender()
