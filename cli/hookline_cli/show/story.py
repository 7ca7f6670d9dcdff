"""The story of a SID: every event in one line, in the order in which they were accepted. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from hookline_cli.explain.twilio_codes import CODES
from hookline_cli.output.durations import describe_timestamp
from hookline_cli.output.redaction import Redaction
from hookline_cli.output.terminal import one_line, printable
from hookline_shared.event import Event

_STATUSES: Final = ("MessageStatus", "SmsStatus", "CallStatus", "Status")
_CODE: Final = re.compile(r"\d{4,6}", re.ASCII)
_LONGEST: Final = 200


class Line(NamedTuple):
    """An event: when it was accepted (Unix ms), its kind, Twilio's status, its state here, and Twilio's error code."""

    at_ms: int
    kind: str
    status: str
    state: str
    error_code: str = ""


def line_of_event(event: Event, state: str, redaction: Redaction) -> Line:
    """Return the line of an event in Redis."""
    params = redaction.parameters(event)
    status = next((params[name] for name in _STATUSES if params.get(name)), "")
    return Line(event.received_at, event.kind, status, state, params.get("ErrorCode", ""))


def line_of_row(row: Mapping[str, Any]) -> Line:
    """Return the line of a settled event, a row of the ledger."""
    code = (row.get("params") or {}).get("ErrorCode")
    return Line(row["received_at"], row["kind"], row["status"] or "", outcome_of(row), str(code or ""))


def outcome_of(row: Mapping[str, Any]) -> str:
    """Return how a row of the ledger ended."""
    attempts = row["attempts"] or 0
    number = f"{attempts} attempt{'s' * (attempts != 1)}"
    if row["outcome"] == "done":
        return f"handled after {number}"
    return f"dead letter after {number}: {row['reason'] or 'no reason'}; it was replayed or discarded since"


def story(lines: Iterable[Line]) -> list[str]:
    """Return the lines as text."""
    ordered = sorted(lines, key=lambda line: line.at_ms)
    width = max((len(line.kind) for line in ordered), default=0)
    statuses = max((len(line.status) for line in ordered), default=0)
    return [one_line(f"{describe_timestamp(one.at_ms)}  {_text(one, width, statuses)}", _LONGEST) for one in ordered]


def explain_codes(lines: Sequence[Line]) -> list[str]:
    """Return a sentence about each error code of Twilio in `lines`."""
    codes = dict.fromkeys(line.error_code for line in lines if _CODE.fullmatch(line.error_code))
    return [f"Twilio's error {code}{_title(int(code))}: see hookline explain {code}" for code in codes if int(code)]


def _text(line: Line, width: int, statuses: int) -> str:
    code = f" (error {line.error_code})" if _CODE.fullmatch(line.error_code) and int(line.error_code) else ""
    return f"{printable(line.kind):<{width}}  {printable(line.status):<{statuses}}  {line.state}{code}"


def _title(code: int) -> str:
    return f", {CODES[code].title}" if code in CODES else ""
