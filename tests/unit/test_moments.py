"""Moments as people write them."""

import pytest
from typer import BadParameter

from cli.moments import moment, shown

NOW_MS = 1_764_057_600_000


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90d", "2025-08-27 08:00:00"),
        (" 1.5 h ", "2025-11-25 06:30:00"),
        ("2025-11-25", "2025-11-25 00:00:00"),
        ("2025-11-25T08:00+01:00", "2025-11-25 07:00:00"),
        ("9999w", "1970-01-01 00:00:00"),
        (f"{'9' * 400}w", "1970-01-01 00:00:00"),
    ],
)
def test_moment(text: str, meant: str) -> None:
    """An age is counted from now, however great, a date is UTC unless it says otherwise."""
    assert shown(moment(text, NOW_MS)) == meant


@pytest.mark.parametrize("text", ["", "yesterday", "5", "-5d", "2025-13-01"])
def test_no_moment(text: str) -> None:
    """What is neither is said."""
    with pytest.raises(BadParameter, match="neither an age"):
        moment(text, NOW_MS)
