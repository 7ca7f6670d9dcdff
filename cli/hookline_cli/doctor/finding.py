"""The findings of a check."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """Severity. A problem loses data or keeps Hookline from working; a warning may do so later or elsewhere."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(NamedTuple):
    """One finding of `check`. `meaning` is the consequence, `remedy` what to do; both are empty if all is well."""

    level: Level
    check: str
    found: str
    meaning: str = ""
    remedy: str = ""


def fine(check: str, found: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(Level.OK, check, found)


def warning(check: str, found: str, meaning: str, remedy: str) -> Finding:
    """Return a finding that should be looked into."""
    return Finding(Level.WARNING, check, found, meaning, remedy)


def problem(check: str, found: str, meaning: str, remedy: str) -> Finding:
    """Return a finding that must be fixed."""
    return Finding(Level.PROBLEM, check, found, meaning, remedy)
