"""The command line: what a person can do wrong, and what the settings table says."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.config import markdown_table
from cli.main import app
from shared.errors import HooklineError
from tests.support.ports import free_port

_DOCUMENTED = Path(__file__).parents[2] / "docs" / "settings.md"


def run(*words: str) -> BaseException | None:
    return CliRunner().invoke(app, words).exception


def test_settings_table_is_what_the_code_says() -> None:
    """docs/settings.md ends with what `hookline config --markdown` prints."""
    assert _DOCUMENTED.read_text().endswith("\n" + markdown_table())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--url", "https://hooks.example.com/twilio"], "is not on this machine.*--yes-really"),
        (["--param", "Digits"], "not of the form Name=value"),
        (["--url", "http://127.0.0.1:{port}/twilio"], "Nothing answers at .*hookline up"),
        (["--token", "", "--url", "http://127.0.0.1:1/twilio"], "No auth token"),
        (["--url", "127.0.0.1:8080/twilio"], "is not a URL"),
        (["--url", "http://127.0.0.1:0/twilio"], "is not a URL"),
        (["--json-body", "["], "not JSON"),
        (["--json-body", "[]", "--param", "A=b"], "--param has no place in it"),
    ],
    ids=["not loopback", "bad param", "nobody there", "no token", "no scheme", "port 0", "no JSON", "two bodies"],
)
def test_send_says_what_to_do(words: list[str], message: str, tmp_path: Path) -> None:
    """Every mistake in `hookline send` ends in one line that says what to do."""
    words = [word.format(port=free_port()) for word in words]
    token = [] if "--token" in words else ["--token", "12345"]
    error = run("send", "message", "--data", str(tmp_path), *token, *words)
    with pytest.raises(HooklineError, match=message):
        raise error or AssertionError("it did not fail")
