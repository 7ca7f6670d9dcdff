"""What a check found."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How bad it is. A problem loses data or keeps Hookline from working, a warning may do so later or elsewhere."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(NamedTuple):
    """One thing that `check` found. `meaning` says what follows from it, `remedy` what to do; both are empty if all is well."""

    level: Level
    check: str
    found: str
    meaning: str = ""
    remedy: str = ""


def fine(check: str, found: str) -> Finding:
    """Give a finding that is as it should be."""
    return Finding(Level.OK, check, found)


def warning(check: str, found: str, meaning: str, remedy: str) -> Finding:
    """Give a finding that should be seen to."""
    return Finding(Level.WARNING, check, found, meaning, remedy)


def problem(check: str, found: str, meaning: str, remedy: str) -> Finding:
    """Give a finding that must be seen to."""
    return Finding(Level.PROBLEM, check, found, meaning, remedy)
