"""Exit codes of the command line, in addition to those of the services."""

from typing import Final

USAGE: Final = 2
"""Invalid command line."""

INTERRUPTED: Final = 130
"""Ended by Ctrl-C: 128 + SIGINT, the shells' convention."""
