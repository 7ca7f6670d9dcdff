"""Print the results of a ledger search: as lines, a thread, JSON or CSV."""

import csv
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from rich.text import Text

from hookline_cli.output.terminal import escape_json, one_line, output, printable
from hookline_cli.output.timestamps import format_timestamp

Found = Mapping[str, Any]

_COLUMNS: Final = ("received_at", "kind", "sender", "recipient", "sid", "status", "outcome", "attempts", "error")
_ERROR_SHOWN: Final = 80
_MARGIN: Final = "\n" + " " * len("2026-11-25 08:00:00 → ")
"""Indents each further line of a message, which could pass for a separate message otherwise."""
_FORMULA: Final = re.compile(r"[\t\r]|[\W_]*?[=@＝＠﹦﹫]|[\W_]*?[+-](?!\d*$)|[\W_]*?[＋－﹢﹣]")  # noqa: RUF001 - fullwidth
"""The beginning of a text that a spreadsheet would read as a formula, after spaces, quotes or invisible signs too. A number
is not one."""


class Form(StrEnum):
    """The output format."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def form_of(*, as_json: bool, as_csv: bool) -> Form:
    """Return the format that the two options choose; JSON if both are given."""
    return Form.JSON if as_json else Form.CSV if as_csv else Form.TEXT


def print_json(found: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(escape_json(json.dumps(found, indent=2, ensure_ascii=False)) + "\n")


def print_csv(rows: Sequence[Found]) -> None:
    """Print a header and a line for each row; lists and objects are written as JSON."""
    if not rows:
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(sys.stdout, names, quoting=csv.QUOTE_ALL)  # a spreadsheet may take ";" for the end of a cell
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)


def print_events(events: Sequence[Found]) -> None:
    """Print events for people: on a terminal in two lines each, elsewhere in one, its columns separated by tabs."""
    console = output()
    if not console.is_terminal:
        sys.stdout.write("".join("\t".join(_cells(event)) + "\n" for event in events))
        return
    for event in events:
        for line in _two_lines(event):
            console.print(line, no_wrap=True, overflow="ellipsis")


def _cells(event: Found) -> list[str]:
    cells = [format_timestamp(event["received_at"]), *(str(event[name] or "") for name in _COLUMNS[1:])]
    return [one_line(cell, _ERROR_SHOWN) for cell in cells]


def _two_lines(event: Found) -> Iterator[Text]:
    """Yield when what came from whom and how it ended, then its SID and its error."""
    at, kind, sender, recipient, sid, status, outcome, attempts, error = _cells(event)
    parties = f"  {sender} → {recipient}" if sender or recipient else ""
    yield Text.assemble((at, "dim"), f"  {kind}  ", (status, "bold"), parties)
    number = f" after {attempts} attempts" if event["attempts"] and event["attempts"] > 1 else ""
    told = f": {error}" if error else ""
    yield Text.assemble(f"    {sid or event['id']}  ", (outcome, "green" if outcome == "done" else "red"), f"{number}{told}")


def print_thread(rows: Sequence[Found], forward: Sequence[bool]) -> None:
    """Print messages and calls as a conversation; those that are `forward` have an arrow to the right."""
    console = output()
    for row, ahead in zip(rows, forward, strict=True):
        arrow = "→" if ahead else "←"
        words = f" {arrow} {printable(row['sender'] or '?')}: {_indented(_said(row))}  "
        console.print(
            Text.assemble((format_timestamp(row["first_at"]), "dim"), words, (printable(_state(row)), "dim")), soft_wrap=True
        )


def _indented(text: str) -> str:
    return printable(text.replace("\r\n", "\n")).replace("\n", _MARGIN)


def _said(row: Found) -> str:
    if row["what"] == "call":
        return "(call)" if row["duration"] is None else f"(call, {row['duration']} s)"
    media = "".join(f" ({item['type']})" for item in row["media"] or ())
    return (row["body"] or "(text unknown)") + media if row["body"] or not media else media.strip()


def _state(row: Found) -> str:
    return f"{row['status'] or ''}{' ' + row['error_code'] if row['error_code'] else ''}"


def _plain(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
    if not isinstance(text, str):
        return text
    return f"'{printable(text)}" if _FORMULA.match(text) else printable(text)  # anyone can send one
