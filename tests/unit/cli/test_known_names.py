"""Names of topics, kinds and reasons that somebody typed wrongly."""

import pytest
from typer.testing import CliRunner

from hookline_cli.known_names import UnknownNameError, check_kinds, check_reasons, check_topics
from hookline_cli.main import app


def test_valid_names_are_named() -> None:
    """An error says which exist, and which one was perhaps meant."""
    with pytest.raises(UnknownNameError, match=r"Topic massages not found. Did you mean messages\? The topics are messages, c"):
        check_topics(["messages", "massages"], ["messages", "calls"])
    with pytest.raises(UnknownNameError, match=r"Did you mean exhausted\? The reasons are rejected, exhausted, .*reused, "):
        check_reasons(["exausted"])
    with pytest.raises(UnknownNameError, match=r"Did you mean message.received\? .*families of kinds are .*conversation\.\*"):
        check_kinds(["message.recieved"])


@pytest.mark.parametrize("kind", ["", "*", "message.received", "call.*", "conversation.onMessageAdded", "sync.*"])
def test_kinds_and_families(kind: str) -> None:
    """A kind, a family, a member of a family that Twilio defines, and all kinds are valid."""
    check_kinds([kind])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("dead", "list", "--reason", "bad"), "The reasons are rejected"),
        (("dead", "list", "--kind", "massage.*"), "The kinds are "),
        (("tail", "--kind", "massage.*"), "The kinds are "),
        (("ledger", "search", "--kind", "massage.status"), "Did you mean message.status?"),
        (("retry", "now", "--kind", "nothing"), "The kinds are "),
    ],
)
def test_commands_check_names_first(words: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command takes a name that cannot match for one that matches nothing."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, UnknownNameError)
    assert told in str(error)
