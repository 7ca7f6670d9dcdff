"""Exit codes of the command line, in addition to those of the services, and what --help says of them."""

from typing import Final

DONE: Final = "Exit codes: 0 done, or nothing to do. 1 failed; the error says why. 2 invalid command line."
"""What --help says of commands that have to do something."""

DONE_OR_INTERRUPTED: Final = f"{DONE} 130 interrupted; run the same command again to continue."
"""Likewise of those that take long."""

USAGE: Final = 2
"""Invalid command line."""

INTERRUPTED: Final = 130
"""Ended by Ctrl-C: 128 + SIGINT, the shells' convention."""
