"""How what was found in the ledger is shown: as a table, a thread, JSON or CSV."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.moments import shown
from cli.terminal import printable

Found = Mapping[str, Any]

_COLUMNS: Final = ("received_at", "kind", "sender", "recipient", "sid", "status", "outcome", "attempts", "error")
_ERROR_SHOWN: Final = 80


class Form(StrEnum):
    """For people, or for programs."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def form_of(*, as_json: bool, as_csv: bool) -> Form:
    """Give the form that two options name; JSON, if both are given."""
    return Form.JSON if as_json else Form.CSV if as_csv else Form.TEXT


def print_json(found: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def print_csv(rows: Sequence[Found]) -> None:
    """Print a heading and a line for each row; values that are no plain ones are JSON."""
    if not rows:
        return
    writer = csv.DictWriter(sys.stdout, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)


def print_events(events: Sequence[Found]) -> None:
    """Print a table of events."""
    table = Table("received (UTC)", "kind", "from", "to", "sid", "status", "outcome", "attempts", "error")
    for event in events:
        cells = [shown(event["received_at"]), *(str(event[name] or "") for name in _COLUMNS[1:])]
        cells[-1] = cells[-1][:_ERROR_SHOWN]
        table.add_row(*map(_harmless, cells))
    Console().print(table)


def print_thread(rows: Sequence[Found], one: str) -> None:
    """Print messages and calls as a conversation; those of `one` point to the right."""
    console = Console()
    for row in rows:
        arrow = "→" if row["sender"] == one else "←"
        sender, said, state = (_harmless(text) for text in (row["sender"] or "?", _said(row), _state(row)))
        line = f"[dim]{shown(row['first_at'])}[/] {arrow} {sender}: {said}"
        console.print(f"{line}  [dim]{state}[/]", highlight=False, soft_wrap=True)


def _harmless(text: str) -> str:
    """Give `text`, which anybody may have sent, so that it neither steers the terminal nor looks like another line."""
    return escape(printable(text).replace("\n", "\n    "))


def _said(row: Found) -> str:
    if row["what"] == "call":
        return "(call)" if row["duration"] is None else f"(call, {row['duration']} s)"
    media = "".join(f" ({item['type']})" for item in row["media"] or ())
    return (row["body"] or "(text not known)") + media if row["body"] or not media else media.strip()


def _state(row: Found) -> str:
    return f"{row['status'] or ''}{' ' + row['error_code'] if row['error_code'] else ''}"


def _plain(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
    # A spreadsheet takes a text that begins so for a formula, and anybody can send one.
    return f"'{text}" if isinstance(text, str) and text[:1] in ("=", "@", "\t", "\r") else text
