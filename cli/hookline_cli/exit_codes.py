"""Exit codes beside those that the services share."""

from typing import Final

USAGE: Final = 2
"""The command line is wrong."""

INTERRUPTED: Final = 130
"""After Ctrl-C, as shells have it."""
