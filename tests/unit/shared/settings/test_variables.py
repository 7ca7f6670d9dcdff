"""Variables that a caller adds to those of the process, and groups of settings, which take their own of all variables."""

import os
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from hookline_ingress.settings import IngressSettings
from hookline_processor.ledger.settings import SettingsWithLedger
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import SettingsError
from hookline_shared.settings.base import SharedSettings
from hookline_shared.validation import fields_of

REQUIRED = {"PUBLIC_URL": "https://hooks.example.com", "TWILIO_AUTH_TOKEN": "0123456789abcdef0123456789abcdef"}


def test_they_win_and_stay_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one function hands to another is seen by no third one."""
    monkeypatch.setenv("INGRESS_PORT", "1")
    before = dict(os.environ)
    settings = IngressSettings.load(REQUIRED | {"INGRESS_PORT": "2", "REDIS_POOL_SIZE": "3"})
    assert (settings.port, settings.redis.pool_size) == (2, 3)
    assert dict(os.environ) == before


def test_they_may_name_files(tmp_path: Path) -> None:
    """The TOML file and the files of secrets that they name are read."""
    (tmp_path / "hookline.toml").write_text("ingress_port = 4\n[alerts.reply_slow]\nenabled = false\n")
    (tmp_path / "token").write_text("fedcba9876543210fedcba9876543210\n")
    files = {"HOOKLINE_CONFIG": str(tmp_path / "hookline.toml"), "TWILIO_AUTH_TOKEN_FILE": str(tmp_path / "token")}
    settings = IngressSettings.load({"PUBLIC_URL": REQUIRED["PUBLIC_URL"]} | files)
    assert (settings.port, settings.auth_tokens) == (4, ("fedcba9876543210fedcba9876543210",))
    assert not settings.alerts.limits["reply_slow"].enabled


def test_what_is_wrong_in_them_is_named() -> None:
    """Also in a group, and where the value comes from a variable of the platform."""
    with pytest.raises(SettingsError) as caught:
        IngressSettings.load(REQUIRED | {"REDIS_MAX_AGE_S": "old", "PORT": "tcp"})
    age, port = caught.value.problems
    assert age.startswith("REDIS_MAX_AGE_S is wrong: ")
    assert port.startswith("INGRESS_PORT, taken from PORT, is wrong: ")


@pytest.mark.parametrize("empty", ["INGRESS_SPOOL_PATH", "ALERT_URL", "REDIS_URL", "INGRESS_PORT"])
def test_empty_one_is_not_set(empty: str) -> None:
    """Only an empty INGRESS_SPOOL_PATH means something: that there is no spool."""
    settings = IngressSettings.load(REQUIRED | {empty: ""})
    usual = IngressSettings.load(REQUIRED)
    assert settings == (msgspec.structs.replace(usual, spool_path=None) if empty == "INGRESS_SPOOL_PATH" else usual)


def test_empty_spool_path_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts a process can do without the spool that the file names."""
    (tmp_path / "hookline.toml").write_text('ingress_spool_path = "here.db"\n')
    monkeypatch.setenv("HOOKLINE_CONFIG", str(tmp_path / "hookline.toml"))
    assert IngressSettings.load(REQUIRED).spool_path == Path("here.db")
    monkeypatch.setenv("INGRESS_SPOOL_PATH", "")
    assert IngressSettings.load(REQUIRED).spool_path is None


def test_one_function_may_hand_a_path_to_another() -> None:
    """It is a value like the text of it."""
    assert IngressSettings.load(REQUIRED | {"INGRESS_SPOOL_PATH": Path("here.db")}).spool_path == Path("here.db")
    with pytest.raises(SettingsError, match="INGRESS_SPOOL_PATH is wrong: it must be a path"):
        IngressSettings.load(REQUIRED | {"INGRESS_SPOOL_PATH": 3})


@pytest.mark.parametrize("name", ["redis", "REDIS", "alerts", "ledger", "LEDGER"])
def test_name_of_a_group_is_no_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that happens to be called like one, such as those of Docker's links, changes nothing."""
    usual = ProcessorSettings.load()
    monkeypatch.setenv(name, "tcp://10.0.0.1:6379")
    if name.upper() == "ALERTS":  # a setting, but only in the TOML file
        with pytest.raises(SettingsError, match="ALERTS is wrong: it must consist of tables"):
            ProcessorSettings.load()
    else:
        assert ProcessorSettings.load() == usual


@pytest.mark.parametrize("settings", [SharedSettings, SettingsWithLedger, IngressSettings, ProcessorSettings])
def test_every_variable_is_declared_once(settings: type[SharedSettings]) -> None:
    """No two fields, of one group or several, have the same variable."""
    names = Counter(variable.name for _, variable in fields_of(settings))
    assert [name for name, times in names.items() if times > 1] == []
