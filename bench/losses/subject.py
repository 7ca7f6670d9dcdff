"""The systems under test: Hookline or a peer, with defaults, or as its documentation advises against losses."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from bench.drain.backlog import Backlog
from bench.drain.peer import enqueue
from bench.environment import Environment
from bench.losses.scenario import JOBS
from bench.peers.catalogue import Peer
from bench.system.processes import free_port, module


class Subject(Protocol):
    """A worker and the jobs that it is given."""

    @property
    def name(self) -> str:
        """The name in the tables."""

    def queue(self, environment: Environment, settings: Mapping[str, str]) -> None:
        """Put the jobs into Redis."""

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
        """The name in the tables."""
        return f"{self.peer.name}, {self.mode}"

    def queue(self, environment: Environment, settings: Mapping[str, str]) -> None:
        """Put the jobs into Redis."""
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
        """The name in the tables."""
        return f"Hookline, {self.mode}"

    def queue(self, environment: Environment, _settings: Mapping[str, str]) -> None:
        """Put the jobs into Redis."""
        Backlog(environment.redis, partitions=8).fill(JOBS)

    def worker(self) -> list[str]:
        """Return the command that runs the worker."""
        return module("hookline_processor")

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
    """Return the file in which jobs are recorded."""
    return directory / "record"
