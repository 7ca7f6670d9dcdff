"""What platforms set for whatever they run: PORT and DATABASE_URL count where our own settings are not set."""

import json
import os
from typing import Any

import pytest
from typer.testing import CliRunner

from hookline_cli.main import app
from hookline_cli.settings.running import public_settings
from hookline_ingress.settings import IngressSettings
from hookline_processor.ledger.database.engine import database_of
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import SettingsError

POSTGRES = "postgresql://app:planted@db/app"


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "0123456789abcdef0123456789abcdef")


def config() -> dict[str, Any]:
    result = CliRunner().invoke(app, ["config", "--json"])
    assert result.exit_code == 0, result.output
    assert "planted" not in result.output
    found = json.loads(result.output)
    return {"warnings": found["warnings"]} | {one["variable"]: one for one in found["settings"]}


@pytest.mark.parametrize(("own", "port"), [(None, 5000), ("", 5000), ("8123", 8123)])
def test_port_of_the_platform(own: str | None, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ingress listens where the platform calls it, on every address, unless it was told a port of its own."""
    monkeypatch.setenv("PORT", "5000")
    if own is not None:
        monkeypatch.setenv("INGRESS_PORT", own)
    settings = IngressSettings.load()
    assert (settings.host, settings.port) == ("0.0.0.0", port)
    assert config()["INGRESS_PORT"]["source"] == ("environment" if own else "PORT")


def test_password_of_another_database_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that is not for us is for the user's own code, whose libraries may log it."""
    monkeypatch.setenv("DATABASE_URL", "mysql://app:plan%40ted@db/app")
    settings = ProcessorSettings.load()
    assert settings.ledger.url is None
    assert {"plan%40ted", "plan@ted"} <= set(settings.secrets())


def test_credentials_of_the_public_url_are_not_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `hookline up` announces to the commands beside it has the URL as it is signed."""
    monkeypatch.setenv("PUBLIC_URL", "https://app:planted@hooks.example.com")
    announced = public_settings(IngressSettings.load(), ProcessorSettings.load(), os.environ)
    assert announced["PUBLIC_URL"] == "https://hooks.example.com"


def test_port_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that is wrong is named."""
    monkeypatch.setenv("PORT", "tcp://10.0.0.1:80")
    with pytest.raises(SettingsError, match="INGRESS_PORT, taken from PORT, is wrong: "):
        IngressSettings.load()


def test_database_of_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used for the ledger if it can be, and hidden wherever settings are shown."""
    monkeypatch.setenv("DATABASE_URL", POSTGRES)
    settings = ProcessorSettings.load()
    assert settings.ledger.url == POSTGRES
    assert "planted" in settings.secrets()
    found = config()
    assert found["HOOKLINE_LEDGER_URL"]["source"] == "DATABASE_URL"
    assert found["HOOKLINE_LEDGER_URL"]["value"] == "postgresql://app:****@db/app"
    assert (found["DATABASE_URL"]["source"], found["warnings"]) == ("environment", [])


@pytest.mark.parametrize("own", ["sqlite:///own.db", ""])
def test_own_setting_wins(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of our own counts alone; an empty one says that there is no ledger, whatever the platform has."""
    monkeypatch.setenv("DATABASE_URL", "mysql://wrong, and nobody looks")
    monkeypatch.setenv("HOOKLINE_LEDGER_URL", own)
    settings = ProcessorSettings.load()
    assert (settings.ledger.url or "") == own
    assert settings.ignored() == []
    assert config()["warnings"] == []


@pytest.mark.parametrize(
    ("url", "missing", "why"),
    [
        ("mysql://app:planted@db/app", None, "it is neither of PostgreSQL nor of SQLite"),
        ("planted", None, "it is neither of PostgreSQL nor of SQLite"),
        ("postgresql://app:planted@db", None, "it names no database"),
        (POSTGRES, "asyncpg", "asyncpg is not installed"),
    ],
)
def test_database_that_cannot_be_used(url: str, missing: str | None, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is the app's, so that is no mistake: there is no ledger, and who looks for it learns why."""
    monkeypatch.setenv("DATABASE_URL", url)
    if missing:
        monkeypatch.setattr("hookline_processor.ledger.url.find_spec", lambda name: None if name == missing else name)
    settings = ProcessorSettings.load()
    assert settings.ledger.url is None
    (ignored,) = settings.ignored()
    assert str(ignored).startswith(f"DATABASE_URL is not used as HOOKLINE_LEDGER_URL: {why}")
    assert config()["warnings"] == [str(ignored)]
    with pytest.raises(SettingsError, match="HOOKLINE_LEDGER_URL is not set") as caught:
        database_of(settings.ledger)
    assert str(ignored) in str(caught.value)
    assert "planted" not in str(caught.value)


def test_same_value_as_our_own_setting_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sets HOOKLINE_LEDGER_URL means it."""
    monkeypatch.setenv("HOOKLINE_LEDGER_URL", "mysql://app@db/app")
    with pytest.raises(SettingsError, match="HOOKLINE_LEDGER_URL is wrong: it is neither"):
        ProcessorSettings.load()


def test_database_in_a_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """DATABASE_URL_FILE is a fallback like DATABASE_URL."""
    (tmp_path / "url").write_text(f"{POSTGRES}\n")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    assert ProcessorSettings.load().ledger.url == POSTGRES
