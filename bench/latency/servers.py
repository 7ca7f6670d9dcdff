"""The servers under an open load: bare aiohttp, ingress, and ingress with the processor."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.environment import Environment
from bench.errors import BenchError
from bench.load.private_ingress import ingress_settings
from bench.peers.receivers import BARE, RECEIVERS
from bench.report.figures import INGRESS
from bench.system.probes import accepts, is_ready
from bench.system.processes import Child, free_port, module, running


class Listening(NamedTuple):
    """A server, and where it takes webhooks."""

    child: Child
    port: int


@contextmanager
def bare(environment: Environment) -> Iterator[Listening]:
    """Run bare aiohttp on the service's core."""
    port = free_port()
    receiver = next(one for one in RECEIVERS if one.name == BARE)
    with running(BARE, receiver.command(port), environment.directory, environment.cores.service) as child:
        child.wait_until(lambda: accepts(port))
        yield Listening(child, port)


@contextmanager
def ingress(environment: Environment) -> Iterator[Listening]:
    """Run ingress on the service's core."""
    port, admin_port = free_port(), free_port()
    settings = ingress_settings(environment.redis.url, port, admin_port, environment.directory / "spool-open.db")
    with running(INGRESS, module("hookline_ingress"), environment.directory, environment.cores.service, settings) as child:
        child.wait_until(lambda: is_ready(admin_port))
        yield Listening(child, port)


@contextmanager
def processor(environment: Environment, waits: Path) -> Iterator[Child]:
    """Run the processor on the core of Redis and the load; its handler writes to `waits` how long each event waited for it."""
    admin_port = free_port()
    settings = {
        "REDIS_URL": environment.redis.url,
        "PROCESSOR_HANDLERS": "bench.latency.handlers:handlers",
        "PROCESSOR_ADMIN_PORT": str(admin_port),
        "BENCH_WAITS": str(waits),
        "LOG_LEVEL": "error",
    }
    with running("processor", module("hookline_processor"), environment.directory, environment.cores.rest, settings) as child:
        child.wait_until(lambda: is_ready(admin_port))
        yield child


def read_waits(file: Path, handling: Child) -> list[float]:
    """Read how many milliseconds each event waited, in the order in which they were handled.

    Raises:
        BenchError: if the processor, which writes that when it is told to end, did not.

    """
    if not file.exists():
        raise BenchError(f"The processor did not end in time to tell of its events. Its output:\n{handling.written()}")
    return msgspec.json.decode(file.read_bytes(), type=list[float])
