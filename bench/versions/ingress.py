"""What a webhook costs ingress in each version."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from bench.environment import Environment
from bench.load.private_ingress import ingress_settings
from bench.load.rounds import ClosedLoop, Target
from bench.system.private_redis import private_redis
from bench.system.probes import is_ready
from bench.system.processes import free_port, module, running
from bench.versions.comparison import Costs
from bench.versions.sources import Source

_CONNECTIONS: Final = 64
_WARM_UP_S: Final = 1.0
_ROUND_S: Final = 0.5
"""Short, so that the machine is the same for all versions of a round."""


def webhook_costs(environment: Environment, sources: Sequence[Source], rounds: int) -> Costs:
    """Return the CPU time of a webhook: each version runs all the time, and is under load in turn.

    Raises:
        BenchError: if a version does not start, ends, or accepts nothing.

    """
    load, costs = ClosedLoop(environment, _CONNECTIONS), Costs("a webhook", {one.name: [] for one in sources})
    with ExitStack() as stack:
        environment.progress.doing("starting ingress")
        targets = [stack.enter_context(_ingress(environment, one, number)) for number, one in enumerate(sources)]
        for target in targets:
            load.warm_up(target, _WARM_UP_S)
        for number in range(1, rounds + 1):
            environment.progress.doing(f"webhooks, round {number}/{rounds}")
            for target in targets if number % 2 else reversed(targets):
                costs.add(target.name, load.round(target, _ROUND_S).cpu_us)
    return costs


@contextmanager
def _ingress(environment: Environment, source: Source, number: int) -> Iterator[Target]:
    """Run the ingress of a version, with a Redis of its own."""
    port, admin_port = free_port(), free_port()
    directory = environment.directory / f"ingress-{number}"
    directory.mkdir()
    with private_redis(directory, environment.cores.rest) as redis:
        settings = ingress_settings(redis.url, port, admin_port, directory / "spool.db") | source.variables()
        with running(source.name, module("hookline_ingress"), directory, environment.cores.service, settings) as child:
            child.wait_until(partial(is_ready, admin_port))
            yield Target((child,), port, redis)
