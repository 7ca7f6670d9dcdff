"""Who runs a command, and why: notes that are kept in Redis."""

import getpass
import socket
from typing import Final

from hookline_shared.errors import HooklineError

MAX_NOTE_LENGTH: Final = 500


def who_note(given: str | None) -> str:
    """Return the name that was given, else user@host."""
    return (given or _user_at_host())[:MAX_NOTE_LENGTH]


def why_note(given: str) -> str:
    """Return the reason that was given.

    Raises:
        HooklineError: if it is empty.

    """
    if not given.strip():
        raise HooklineError("A reason is required, and kept in the record: add --why 'some text'.")
    return given.strip()[:MAX_NOTE_LENGTH]


def _user_at_host() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"unknown@{socket.gethostname()}"
