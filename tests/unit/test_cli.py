"""The command line: what a person can do wrong, and what the settings table says."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.config import markdown_table
from cli.main import app
from cli.samples import Sample, parameters
from cli.send import SendError
from ingress import catalogue
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
    ],
    ids=["not loopback", "bad param", "nobody there", "no token"],
)
def test_send_says_what_to_do(words: list[str], message: str, tmp_path: Path) -> None:
    """Every mistake in `hookline send` ends in one line that says what to do."""
    words = [word.format(port=free_port()) for word in words]
    token = [] if "--token" in words else ["--token", "12345"]
    error = run("send", "message", "--data", str(tmp_path), *token, *words)
    with pytest.raises(SendError, match=message):
        raise error or AssertionError("it did not fail")


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        (Sample.MESSAGE, catalogue.MESSAGE_RECEIVED),
        (Sample.STATUS, catalogue.MESSAGE_STATUS),
        (Sample.CALL, catalogue.CALL_RECEIVED),
        (Sample.CALL_STATUS, catalogue.CALL_STATUS),
    ],
)
def test_samples_are_of_their_kind(sample: Sample, kind: catalogue.Kind) -> None:
    """What `hookline send` makes is told as the kind that it is named after."""
    assert catalogue.tell(parameters(sample, "+1", "+2", "hi")) is kind
