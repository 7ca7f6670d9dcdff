"""Show the progress of a long command on standard error: a bar on a terminal, elsewhere a line every few seconds."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_PATIENCE_S: Final = 0.5
_LINE_EVERY_S: Final = 5.0


class ProgressReporter(Protocol):
    """Shows progress within its context."""

    def advance(self, number: int) -> None:
        """Note that `number` more items are done."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class ProgressBar:
    """A progress bar that appears after half a second and disappears at the end."""

    def __init__(self, what: str, total: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(what, total=total)
        self._begun = time.monotonic()
        self._shown = False

    def advance(self, number: int) -> None:
        """Note that `number` more items are done."""
        if not self._shown and time.monotonic() - self._begun > _PATIENCE_S:
            self._shown = True
            self._progress.start()
        self._progress.advance(self._task, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()


class ProgressLines:
    """Writes a line every few seconds."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._told_at = time.monotonic()

    def advance(self, number: int) -> None:
        """Note that `number` more items are done."""
        self._done += number
        if time.monotonic() - self._told_at >= _LINE_EVERY_S:
            self._told_at = time.monotonic()
            sys.stderr.write(f"{self._what}: {self._done} of {self._total}\n")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Print nothing: the command prints its result."""


class NoProgress:
    """Shows nothing: for reads on behalf of somebody who does not see this terminal."""

    def __init__(self, what: str, total: int) -> None:
        """Take the same as the others."""

    def advance(self, number: int) -> None:
        """Show nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Show nothing."""


Reporting = Callable[[str, int], ProgressReporter]
"""Returns who shows the progress of something, which has a name and a number of items."""


def progress_reporter(what: str, total: int) -> ProgressReporter:
    """Return the meter that suits standard error."""
    return ProgressBar(what, total) if sys.stderr.isatty() else ProgressLines(what, total)
