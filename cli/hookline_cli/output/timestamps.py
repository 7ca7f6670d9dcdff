"""Parse and format timestamps: an age, or a date. Pure."""

import re
from datetime import UTC, datetime
from typing import Final

import typer

AGE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*(s|m|h|d|w)")
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_timestamp(text: str, now_ms: int) -> int:
    """Return Unix time in milliseconds for an age such as 90d, 12h or 30m, or a date such as 2026-11-25 or 2026-11-25T08:00Z.

    A time before 1970 is 0.

    Raises:
        typer.BadParameter: if it is neither.

    """
    if age := AGE.fullmatch(text.strip()):
        return max(0, now_ms - round(float(age[1]) * SECONDS[age[2]] * 1000))
    try:
        date = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither an age such as 90d, 12h or 30m nor a date such as 2026-11-25") from None
    return max(0, round((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000))


def format_timestamp(unix_ms: int) -> str:
    """Return a timestamp as text, in UTC."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
