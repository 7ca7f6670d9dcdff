"""`hookline console` at the terminal."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hookline_cli.main import app
from hookline_console import command
from hookline_console.access.passwords import PasswordFile
from hookline_shared.errors import HooklineError

PASSWORD = "correct horse"


async def test_printed_line_signs_in(tmp_path: Path) -> None:
    """What `hookline console password` prints is a line of the file, and the password is nowhere in it."""
    words = ["console", "password", "ada", "--role", "operator"]
    done = CliRunner().invoke(app, words, input=f"{PASSWORD}\n{PASSWORD}\n", catch_exceptions=False)
    line = done.stdout.splitlines()[-1]
    assert line.startswith("ada:operator,viewer:$argon2id$")
    assert PASSWORD not in line
    (tmp_path / "users").write_text(line)
    person = await PasswordFile(tmp_path / "users").sign_in("ada", PASSWORD)
    assert person is not None
    assert sorted(person.roles) == ["operator", "viewer"]


@pytest.mark.parametrize(
    ("words", "typed", "told"),
    [
        (["ada"], "short", "12 to 1000 characters"),
        (["a:b"], PASSWORD, "any characters but a colon"),
        (["ada", "--role", "boss"], PASSWORD, "The roles are viewer, operator, revealer"),
    ],
)
def test_mistakes_print_no_line(words: list[str], typed: str, told: str) -> None:
    """Nothing that could be taken for a line is printed."""
    with pytest.raises(HooklineError, match=told):
        CliRunner().invoke(app, ["console", "password", *words], input=f"{typed}\n{typed}\n", catch_exceptions=False)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the command says how to install it."""
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    with pytest.raises(HooklineError, match="the extra console of hookline"):
        CliRunner().invoke(app, ["console"], catch_exceptions=False)


def test_wrong_setting_ends_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An open address without a way to sign in is refused with the exit code of wrong settings."""
    monkeypatch.setenv("CONSOLE_HOST", "0.0.0.0")
    done = CliRunner().invoke(app, ["console", "--data", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 2
    assert "CONSOLE_USERS" in done.stderr
