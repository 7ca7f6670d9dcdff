"""How the ledger's rows are shown to people."""

import csv
import json
from io import StringIO

import pytest
from rich.console import Console

from hookline_cli.ledger.output import print_csv, print_events, print_json, print_thread
from hookline_cli.output.terminal import json_text

_EVIL = "\x1b]0;owned\x07hi [red]\n2025-06-15 15:06:40 ← +1: forged"


def test_texts_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """What somebody wrote is shown, and neither carried out nor taken for a line of ours."""
    names = ("kind", "sender", "recipient", "sid", "status", "outcome", "attempts", "error")
    print_events([{"received_at": 0, **dict.fromkeys(names, _EVIL)}])
    thread = {"first_at": 0, "what": "message", "media": None, "error_code": None}
    print_thread([{**thread, "sender": "+1\x9b2J", "body": _EVIL, "status": "received"}], [False])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert shown.splitlines()[-2:] == [
        r"1970-01-01 00:00:00 ← +1\x9b2J: \x1b]0;owned\x07hi [red]",
        " " * 22 + "2025-06-15 15:06:40 ← +1: forged  received",
    ]


_SID = "SM" + "0" * 32
_EVENT = {
    "id": "e" * 32,
    "received_at": 1_750_000_000_000,
    "kind": "message.status",
    "sender": "whatsapp:+14155550123",
    "recipient": "whatsapp:+18005551212",
    "sid": _SID,
    "status": "undelivered",
    "outcome": "dead",
    "attempts": 8,
    "error": "TimeoutError: " + "the shop did not answer " * 10,
}


def test_search_is_plain_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each event, with tabs between its columns and no padding."""
    print_events([_EVENT, {**_EVENT, "sender": None, "error": None}])
    first, second = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert first[:5] == ["2025-06-15 15:06:40", "message.status", "whatsapp:+14155550123", "whatsapp:+18005551212", _SID]
    assert (second[2], second[8]) == ("", "")


def test_search_fits_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On 80 columns, an event has two lines, with its whole SID; nothing wraps in the middle of a value."""

    def terminal() -> Console:
        return Console(width=80, force_terminal=True, color_system=None, highlight=False)

    monkeypatch.setattr("hookline_cli.ledger.output.output", terminal)
    print_events([_EVENT])
    first, second = capsys.readouterr().out.splitlines()
    assert max(len(first), len(second)) <= 80
    assert first.startswith("2025-06-15 15:06:40  message.status  undelivered  whatsapp:+")
    assert second.startswith(f"    {_SID}  dead after 8 attempts: TimeoutError: ")


@pytest.mark.parametrize(
    "text",
    # ruff: noqa: RUF001 - fullwidth signs
    [
        "=1",
        "\n=1",
        " =1",
        "\t=1",
        "\r@x",
        "＝1",
        "＠x",
        "＋1+2",
        "-1+cmd()",
        "\u200b=1",
        "'=1",
        '"=1',
        "\x00=1",
        "\ufeff+1+2",
        "﹦1",
        "﹢1",
        "﹣1",
        "﹫x",
    ],
)
def test_no_cell_is_a_formula(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """However it begins: with spaces, line breaks, quotes, invisible or fullwidth characters."""
    print_csv([{"body": text}])
    (row,) = csv.DictReader(StringIO(capsys.readouterr().out))
    assert row["body"].startswith("'")


@pytest.mark.parametrize("text", ["+14155550123", "-5", "hello = world", "1=1", "", "a@b.c", "🙂"])
def test_other_cells_stay(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers, and signs in the middle, are no formulas."""
    print_csv([{"body": text, "other": "x"}])
    (row,) = csv.DictReader(StringIO(capsys.readouterr().out))
    assert row["body"] == text


def test_cells_are_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    """In some countries the separator of a spreadsheet is ";", behind which a formula could begin."""
    print_csv([{"body": "hello;=HYPERLINK(1)", "attempts": 1}])
    assert capsys.readouterr().out.splitlines()[1] == '"hello;=HYPERLINK(1)","1"'


@pytest.mark.parametrize(
    "sign",
    ["\x1b", "\x7f", "\x9b", "\u202e", "\u2066", "\u200f", "\u2028", "\ufeff", "\u00ad", "\u180e", "\ufff9", "\U000e0041"],
)
def test_machine_output_steers_no_terminal(sign: str, capsys: pytest.CaptureFixture[str]) -> None:
    """CSV and JSON are read on terminals, too; a program gets the same text from JSON."""
    print_csv([{"body": f"a{sign}b"}])
    assert sign not in capsys.readouterr().out
    print_json([f"a{sign}b"])
    written = capsys.readouterr().out
    assert sign not in written + json_text(f"a{sign}b")
    assert json.loads(written) == [f"a{sign}b"]
    assert json.loads(json_text({f"a{sign}": "ü"})) == {f"a{sign}": "ü"}
