"""The interface of a system whose backlog processing is timed."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from bench.system.processes import Child


class Contender(Protocol):
    """Hookline's processor in some setting, or a peer. `jobs` is the size of its backlog."""

    @property
    def name(self) -> str:
        """The name in the tables."""

    @property
    def jobs(self) -> int:
        """The size of its backlog."""

    def fill(self) -> None:
        """Empty Redis and write the backlog."""

    def work(self) -> AbstractContextManager[Sequence[Child]]:
        """Run its processes within the context."""

    def left(self) -> int:
        """Return the number of unfinished jobs, at a low cost."""

    def has_begun(self) -> bool:
        """Whether all of its processes take part, once a job is done."""

    def is_settled(self) -> bool:
        """Whether all of them are acknowledged in Redis."""

    def dead(self) -> int:
        """Return the number of jobs that were given up."""


Contenders = Iterator[Contender]
