"""Who is put to the test: Hookline or a peer, as it comes or as its documentation tells who must lose nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from bench.drain.backlog import Backlog
from bench.drain.peer import enqueue
from bench.environment import Environment
from bench.losses.scenario import JOBS
from bench.peers.catalogue import Peer
from bench.processes import free_port, module


class Subject(Protocol):
    """A worker and the jobs that it is given."""

    @property
    def name(self) -> str:
        """What people see."""

    def queue(self, environment: Environment, settings: Mapping[str, str]) -> None:
        """Give Redis the jobs."""

    def worker(self) -> list[str]:
        """Return the command that runs the worker."""

    def settings(self, environment: Environment) -> Mapping[str, str]:
        """Return the environment variables of the worker."""


class PeerSubject(NamedTuple):
    """A peer in one of its modes."""

    peer: Peer
    mode: str

    @property
    def name(self) -> str:
        """What people see."""
        return f"{self.peer.name}, {self.mode}"

    def queue(self, environment: Environment, settings: Mapping[str, str]) -> None:
        """Give Redis the jobs."""
        enqueue(environment, self.peer, JOBS, {**settings, **self.settings(environment)})

    def worker(self) -> list[str]:
        """Return the command that runs the worker."""
        return self.peer.environment.command(*(self.peer.plain or self.peer.work))

    def settings(self, environment: Environment) -> Mapping[str, str]:
        """Return the environment variables of the worker."""
        return {"REDIS_URL": environment.redis.url, "BENCH_MODE": self.mode}


class HooklineSubject(NamedTuple):
    """Hookline's processor; careful means a shorter lease."""

    mode: str

    @property
    def name(self) -> str:
        """What people see."""
        return f"Hookline, {self.mode}"

    def queue(self, environment: Environment, _settings: Mapping[str, str]) -> None:
        """Give Redis the jobs."""
        Backlog(environment.redis, partitions=8).fill(JOBS)

    def worker(self) -> list[str]:
        """Return the command that runs the worker."""
        return module("processor")

    def settings(self, environment: Environment) -> Mapping[str, str]:
        """Return the environment variables of the worker."""
        careful = {"PROCESSOR_LEASE_S": "2"} if self.mode == "careful" else {}
        return {
            "REDIS_URL": environment.redis.url,
            "PROCESSOR_HANDLERS": "bench.losses.handlers:handlers",
            "PROCESSOR_ADMIN_PORT": str(free_port()),
            "LOG_LEVEL": "error",
            **careful,
        }


def record_of(directory: Path) -> Path:
    """Return the file in which jobs are put on record."""
    return directory / "record"
