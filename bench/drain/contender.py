"""What can be timed while it works off a backlog."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from bench.processes import Child


class Contender(Protocol):
    """Hookline's processor in some setting, or a peer. `jobs` is how many it is given at a time."""

    @property
    def name(self) -> str:
        """What people see."""

    @property
    def jobs(self) -> int:
        """How many it is given at a time."""

    def fill(self) -> None:
        """Forget what Redis holds, and lay down the backlog."""

    def work(self) -> AbstractContextManager[Sequence[Child]]:
        """Run its processes for as long as the context lasts."""

    def left(self) -> int:
        """Count, cheaply, the jobs that are not done."""

    def has_begun(self) -> bool:
        """Whether all of its processes have a part in the work, once some job is done."""

    def is_settled(self) -> bool:
        """Whether Redis has been told that all of them are done."""

    def dead(self) -> int:
        """Count the jobs that were given up."""


Contenders = Iterator[Contender]
