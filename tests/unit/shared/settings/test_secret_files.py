"""Secrets in files: read like variables, and every mistake reported before anything starts."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hookline_cli.main import app
from hookline_cli.settings.rows import secrets
from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import SettingsError

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that is named for the token; nothing is in it yet."""
    monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
    monkeypatch.delenv("TWILIO_AUTH_TOKEN", raising=False)
    made = tmp_path / "token"
    monkeypatch.setenv("TWILIO_AUTH_TOKEN_FILE", str(made))
    return made


def complaints() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        IngressSettings.load()
    return caught.value.problems


def test_secret_comes_from_the_file_that_is_named(file: Path) -> None:
    """The content counts, without the line's end that every editor adds, and is kept out of logs like any secret."""
    file.write_text(f"{TOKEN}\n")
    settings = IngressSettings.load()
    assert settings.auth_tokens == (TOKEN,)
    assert TOKEN in settings.secrets()


@pytest.mark.parametrize("name", [name for name in secrets() if name != "DATABASE_URL"])
def test_every_secret_may_be_in_a_file(name: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting that holds a secret has its file; a wrong value in it is reported under the setting's own name."""
    file.write_text(TOKEN)
    wrong = tmp_path / "wrong"
    wrong.write_text("no, not this")
    monkeypatch.setenv(f"{name}_FILE", str(wrong))
    service = ProcessorSettings if name in ("HOOKLINE_LEDGER_URL", "TWILIO_API_SECRET") else IngressSettings
    with pytest.raises(SettingsError, match=f"{name} is wrong") as caught:
        service.load()
    assert "no, not this" not in str(caught.value)


def test_nothing_but_secrets_is_read_from_files(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """INGRESS_PORT_FILE is no way to set INGRESS_PORT."""
    file.write_text(TOKEN)
    port = tmp_path / "port"
    port.write_text("1234")
    monkeypatch.setenv("INGRESS_PORT_FILE", str(port))
    assert IngressSettings.load().port == 8080


def test_both_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the environment and another in a file: nobody could tell which is used, so neither is."""
    file.write_text(TOKEN)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    assert complaints() == [
        "TWILIO_AUTH_TOKEN and TWILIO_AUTH_TOKEN_FILE are both set, so it is unclear which one counts. Unset one of them."
    ]


def test_file_that_is_not_there(file: Path) -> None:
    """A secret that was not mounted is reported with the path at which it was expected."""
    (problem,) = complaints()
    assert problem.startswith(f"TWILIO_AUTH_TOKEN_FILE={file} cannot be read: No such file or directory.")


def test_file_that_is_no_text(file: Path) -> None:
    """Bytes that are no text are no secret of ours, and are not shown."""
    file.write_bytes(b"\xff\xfe\x00")
    (problem,) = complaints()
    assert problem.startswith(f"TWILIO_AUTH_TOKEN_FILE={file} is not text.")


def test_empty_file_says_nothing(file: Path) -> None:
    """An empty file is like an empty variable; a required setting says where it was looked for."""
    file.write_text(" \n")
    (problem,) = complaints()
    assert problem.startswith("TWILIO_AUTH_TOKEN is not set, and the file of TWILIO_AUTH_TOKEN_FILE is empty.")


def test_config_names_the_file_as_the_source(file: Path) -> None:
    """`hookline config` tells that it comes from a secret file, does not show it, and takes the variable for no stranger."""
    file.write_text(TOKEN)
    found = json.loads(CliRunner().invoke(app, ["config", "--json"]).output)
    (row,) = (one for one in found["settings"] if one["variable"] == "TWILIO_AUTH_TOKEN")
    assert (row["source"], row["value"]) == ("secret file", ["****"])
    assert (found["problems"], found["warnings"]) == ([], [])
