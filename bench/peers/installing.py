"""Installing whatever takes part and is not there yet."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from bench.journal import Journal
from bench.peers.environment import Environment, NotInstalledError


class Installable(Protocol):
    """What has a name and an environment."""

    @property
    def name(self) -> str:
        """What people see."""

    @property
    def package(self) -> str:
        """The package whose version counts."""

    @property
    def environment(self) -> Environment:
        """Where it runs."""


Wanted = TypeVar("Wanted", bound=Installable)


def installed(journal: Journal, wanted: Iterable[Wanted]) -> tuple[list[Wanted], list[str]]:
    """Give those of `wanted` that are, or could be, installed, and why others are not."""
    ready, failures = [], []
    for one in wanted:
        try:
            _prepare(journal, one)
        except NotInstalledError as error:
            failures.append(str(error))
        else:
            ready.append(one)
    return ready, failures


def _prepare(journal: Journal, one: Installable) -> None:
    if not one.environment.is_ready():
        journal.doing(f"installing {one.name} (once)")
        one.environment.install()
        journal.note(f"installed {one.name} {one.environment.version(one.package)}")
