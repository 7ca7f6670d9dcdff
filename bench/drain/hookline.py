"""Hookline's processor as a contender, in one of its settings."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import Final, NamedTuple

from bench.drain.backlog import Backlog
from bench.environment import Environment
from bench.system.probes import is_ready
from bench.system.processes import Child, free_port, module, running
from bench.system.snapshot import Snapshot

_KEPT_AT_MOST: Final = 200_000
"""So many events are kept in the benchmark's memory, to be laid down again; more are appended anew."""


class Setting(NamedTuple):
    """What is varied. `name` is shown; `handlers` is one of `bench.drain.handlers`; `variables` are of the environment."""

    name: str
    jobs: int
    partitions: int = 8
    handlers: str = "noop"
    ordered: bool = True
    processes: int = 1
    variables: Mapping[str, str] = MappingProxyType({})


class HooklineDrain:
    """The backlog of the processor."""

    def __init__(self, environment: Environment, setting: Setting) -> None:
        self.name = setting.name
        self.jobs = setting.jobs
        self._environment = environment
        self._setting = setting
        self._backlog = Backlog(environment.redis, setting.partitions)
        self._snapshot: Snapshot | None = None

    def fill(self) -> None:
        """Write the backlog."""
        if self._snapshot is not None:
            self._snapshot.lay(self._environment.redis.client)
            return
        self._backlog.fill(self.jobs)
        if self.jobs <= _KEPT_AT_MOST:
            self._snapshot = Snapshot.take(self._environment.redis.client)

    @contextmanager
    def work(self) -> Iterator[Sequence[Child]]:
        """Run its processes; the second one shares the core of Redis, which is all that two cores allow."""
        cores = self._environment.cores
        with ExitStack() as stack:
            yield [
                stack.enter_context(self._process(number, cores.rest if number else cores.service)).child
                for number in range(self._setting.processes)
            ]

    def start(self) -> float:
        """Start an idle process; return the seconds until it is ready."""
        self._environment.redis.empty()
        with self._process(0, self._environment.cores.service) as (child, admin_port):
            return child.wait_until(lambda: is_ready(admin_port))

    def left(self) -> int:
        """Return the number of entries in the streams."""
        return self._backlog.entries()

    def has_begun(self) -> bool:
        """Whether each process owns partitions."""
        return self._backlog.owners() == self._setting.processes

    def is_settled(self) -> bool:
        """Whether no entry is left, not even a pending one."""
        return self._backlog.is_settled()

    def dead(self) -> int:
        """Return the number of dead letters."""
        return self._backlog.dead()

    @contextmanager
    def _process(self, number: int, core: int | None) -> Iterator["Running"]:
        admin_port = free_port()
        settings = {
            "REDIS_URL": self._environment.redis.url,
            "HOOKLINE_CONFIG": self._config(),
            "HOOKLINE_PARTITIONS": str(self._setting.partitions),
            "PROCESSOR_HANDLERS": f"bench.drain.handlers:{self._setting.handlers}",
            "PROCESSOR_ADMIN_PORT": str(admin_port),
            "LOG_LEVEL": "error",
            **self._setting.variables,
        }
        name = f"processor {number + 1}" if number else "processor"
        with running(name, module("hookline_processor"), self._environment.directory, core, settings) as child:
            yield Running(child, admin_port)

    def _config(self) -> str:
        file = self._environment.directory / f"ordered-{self._setting.ordered}.toml"
        file.write_text(f"[topics.messages]\nordered = {str(self._setting.ordered).lower()}\n")
        return str(file)


class Running(NamedTuple):
    """A process of the processor."""

    child: Child
    admin_port: int
