"""Installing whatever takes part and is not there yet."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from bench.peers.environment import Environment, NotInstalledError
from bench.report.progress import ProgressLog


class Installable(Protocol):
    """What has a name and an environment."""

    @property
    def name(self) -> str:
        """The name in the tables."""

    @property
    def package(self) -> str:
        """The package whose version counts."""

    @property
    def environment(self) -> Environment:
        """Where it runs."""


Wanted = TypeVar("Wanted", bound=Installable)


def installed(progress: ProgressLog, wanted: Iterable[Wanted]) -> tuple[list[Wanted], list[str]]:
    """Return those of `wanted` that are, or could be, installed, and why others are not."""
    ready, failures = [], []
    for one in wanted:
        try:
            _prepare(progress, one)
        except NotInstalledError as error:
            failures.append(str(error))
        else:
            ready.append(one)
    return ready, failures


def _prepare(progress: ProgressLog, one: Installable) -> None:
    if not one.environment.is_ready():
        progress.doing(f"installing {one.name} (once)")
        one.environment.install()
        progress.note(f"installed {one.name} {one.environment.version(one.package)}")
