"""Where the `hookline` command begins: nothing that a person or a terminal does ends in a traceback.

It imports what it runs as late as it can, since Ctrl-C may come while that takes its time.
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, cast

from hookline_cli.output.exit_codes import INTERRUPTED, USAGE
from hookline_shared.lifecycle.early_signals import leave_at_once

SERVICES: Final = ("ingress", "processor")
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def main() -> None:
    """Run the command line."""
    try:
        _open_closed_streams()
        _write_any_letter()
        _refuse_what_is_no_text(sys.argv[1:])
        if sys.argv[1:] in ([name] for name in SERVICES):  # without what reads command lines, which takes time and memory
            sys.exit(serve(sys.argv[1]))
        from hookline_cli.main import run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _end(f"the output could not be written: {error.strerror}.", 1)


def serve(name: str) -> int:
    """Run the service `name` of `SERVICES` until a signal; return its exit code."""
    leave_at_once()
    return cast(int, import_module(f"hookline_{name}.main").main())


def _open_closed_streams() -> None:
    """Give standard streams that were closed something in their place; Python has None there."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123 - for as long as the process lasts
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123


def _write_any_letter() -> None:
    """Write letters that the terminal's encoding lacks as escapes, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _refuse_what_is_no_text(words: Sequence[str]) -> None:
    """End if one of `words` cannot be sent to Redis or ingress, nor be signed."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            _end(f"{os.fsencode(word)!r} is not text in UTF-8.", USAGE)


def _end(why: str, code: int) -> None:
    sys.stderr.write(f"hookline: {why}\n")
    sys.stderr.flush()
    os._exit(code)  # what could not be written would only fail again
