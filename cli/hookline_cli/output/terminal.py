"""Printing and asking in a terminal, shared by all commands."""

import json
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NoReturn

import msgspec
import typer
from rich.console import Console

from hookline_cli.output.exit_codes import INTERRUPTED
from hookline_shared.errors import HooklineError

_WIDE: Final = 10_000
_PERHAPS_OBEYED: Final = re.compile(r"[^\x00-\x7e]")
"""What JSON leaves as it is, and `printable` escapes if it is invisible or changes the direction of the text."""


class RefusedError(HooklineError):
    """The command did nothing, because it was not confirmed."""


def output() -> Console:
    """Return the console for results. Lines are not wrapped if the output is not a terminal."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_WIDE)


def printable(text: str) -> str:
    """Return `text` with control characters escaped, except newlines and tabs."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in "\n\t" else repr(sign)[1:-1] for sign in text)


def escape_json(document: str) -> str:
    """Return a JSON document with the control and bidirectional characters in its texts escaped, which a terminal obeys."""
    return _PERHAPS_OBEYED.sub(lambda sign: sign[0] if sign[0].isprintable() else json.dumps(sign[0])[1:-1], document)


def json_text(value: object) -> str:
    """Return `value` as one JSON document in one line."""
    return escape_json(msgspec.json.encode(value).decode())


def print_result(found: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """Print what a command did: `found` as one JSON object, or `text` for people."""
    typer.echo(json_text(found) if as_json else text)


def one_line(text: str, most: int) -> str:
    """Return the first `most` characters of `text` at most, on one line and without control characters."""
    line = printable(text.replace("\n", " ").replace("\t", " "))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def confirm(question: str, *, yes: bool, refusal: str) -> None:
    """Ask for confirmation, unless `yes` is set. Ctrl-C ends the command.

    Raises:
        RefusedError: with `refusal`, if the answer is no, or if there is no terminal.

    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise RefusedError(f"{refusal} There is no terminal for the confirmation: add --yes to confirm.")
    try:
        with _ending_at_once():
            answer = typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-D
        answer = False
        typer.echo(err=True)
    except _InterruptedError:
        typer.echo(err=True)
        end(INTERRUPTED)
    if not answer:
        raise RefusedError(refusal)


class _InterruptedError(BaseException):
    """Ctrl-C came during a question."""


@contextmanager
def _ending_at_once() -> Iterator[None]:
    """Let Ctrl-C end the command while it waits for an answer: the event loop would only note the signal."""

    def leave(*_: object) -> None:
        raise _InterruptedError  # nothing is written here: the question itself may be half written

    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end(code: int) -> NoReturn:
    """End the command with exit code `code`."""
    raise typer.Exit(code)
