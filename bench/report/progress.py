"""The progress display: a line per finished step, and below them the current step."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class ProgressLog:
    """Reports the steps of the benchmark."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console = console
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def doing(self, step: str) -> None:
        """Show the current step."""
        self._progress.update(self._task, description=step)

    def note(self, line: str) -> None:
        """Print a permanent line."""
        self._console.print(line, highlight=False, soft_wrap=True)


@contextmanager
def progress(console: Console) -> Iterator[ProgressLog]:
    """Show progress within the context; it is redrawn rarely, for drawing costs time on the load's core."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as progress:
        yield ProgressLog(console, progress)
