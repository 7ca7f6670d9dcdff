"""The entry point of the `hookline` command. No input and no terminal causes a traceback.

Modules are imported as late as possible, because Ctrl-C may come during the import.
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, cast

from hookline_cli.output.exit_codes import INTERRUPTED, USAGE
from hookline_shared.lifecycle.import_path import defer_python_path
from hookline_shared.lifecycle.lean_imports import import_lean
from hookline_shared.lifecycle.process_start import pause_collection, prepare_process

SERVICES: Final = ("ingress", "processor")
_VERSION: Final = ["--version"]
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def main() -> None:
    """Run the command line."""
    try:
        pause_collection()
        defer_python_path()
        _open_closed_streams()
        _escape_unencodable_output()
        _require_utf8(sys.argv[1:])
        if sys.argv[1:] in ([name] for name in SERVICES):  # without the command-line parser, which takes time and memory
            sys.exit(serve(sys.argv[1]))
        if sys.argv[1:] == _VERSION:  # the same
            from hookline_shared.distribution import version_line  # noqa: PLC0415 - no other command reads metadata

            print(version_line())
            return
        from hookline_cli.main import run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _end(f"the output could not be written: {error.strerror}.", 1)


def serve(name: str) -> int:
    """Run service `name`, one of `SERVICES`, until a signal; return its exit code."""
    prepare_process()
    if name == "ingress":
        import_lean()
    return cast(int, import_module(f"hookline_{name}.main").main())


def _open_closed_streams() -> None:
    """Replace closed standard streams, for which Python has None, by the null device."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123 - open until the process ends
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123


def _escape_unencodable_output() -> None:
    """Write characters that the terminal's encoding lacks as escapes."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _require_utf8(arguments: Sequence[str]) -> None:
    """End if one of `arguments` is not valid UTF-8: it could not be signed or sent."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            _end(f"{os.fsencode(argument)!r} is not text in UTF-8.", USAGE)


def _end(why: str, code: int) -> None:
    sys.stderr.write(f"hookline: {why}\n")
    sys.stderr.flush()
    os._exit(code)  # flushing the output again would only fail again
