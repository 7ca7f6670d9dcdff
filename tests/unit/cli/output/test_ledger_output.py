"""How the ledger's rows are shown to people."""

import pytest

from hookline_cli.ledger.output import print_events, print_thread

_EVIL = "\x1b]0;owned\x07hi [red]\n2025-06-15 15:06:40 ← +1: forged"


def test_texts_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """What somebody wrote is shown, and neither carried out nor taken for a line of ours."""
    names = ("kind", "sender", "recipient", "sid", "status", "outcome", "attempts", "error")
    print_events([{"received_at": 0, **dict.fromkeys(names, _EVIL)}])
    thread = {"first_at": 0, "what": "message", "media": None, "error_code": None}
    print_thread([{**thread, "sender": "+1\x9b2J", "body": _EVIL, "status": "received"}], "+1")
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert shown.splitlines()[-2:] == [
        r"1970-01-01 00:00:00 ← +1\x9b2J: \x1b]0;owned\x07hi [red]",
        " " * 22 + "2025-06-15 15:06:40 ← +1: forged  received",
    ]
