"""Moments as people write them."""

import pytest
import typer

from hookline_cli.output.timestamps import parse_timestamp

_NOW = 1_750_000_000_000


@pytest.mark.parametrize(
    ("text", "ago_ms"),
    [
        ("90s", 90_000),
        (" 1.5 h ", 5_400_000),
        ("2d", 172_800_000),
        ("1w", 604_800_000),
        ("999999999999999w", _NOW),
    ],
)
def test_ages(text: str, ago_ms: int) -> None:
    """An age is counted back from now, to 1970 at most."""
    assert parse_timestamp(text, _NOW) == _NOW - ago_ms


@pytest.mark.parametrize(
    ("text", "unix_ms"),
    [
        ("2025-06-15", 1_749_945_600_000),
        ("2025-06-15T15:06:40Z", _NOW),
        ("2025-06-15T17:06:40+02:00", _NOW),
        ("0001-01-01", 0),
    ],
)
def test_dates(text: str, unix_ms: int) -> None:
    """A date without a zone is in UTC; before 1970 there is nothing."""
    assert parse_timestamp(text, _NOW) == unix_ms


@pytest.mark.parametrize("text", ["soon", "", "-2h", "2 years", "9" * 400 + "d", "2025-13-01", "nan"])
def test_what_is_neither(text: str) -> None:
    """It is a mistake in the use of the command."""
    with pytest.raises(typer.BadParameter, match="neither an age such as"):
        parse_timestamp(text, _NOW)
