"""What an event costs the processor in each version."""

from collections.abc import Sequence
from typing import Final

from bench.drain.hookline import HooklineDrain, Setting
from bench.drain.stopwatch import Stopwatch
from bench.environment import Environment
from bench.versions.comparison import Costs
from bench.versions.sources import Source

_EVENTS: Final = 20_000


def event_costs(environment: Environment, sources: Sequence[Source], rounds: int) -> Costs:
    """Return the CPU time of an event whose handler does nothing: each version works off the same backlog in turn.

    Raises:
        BenchError: if a version does not start, ends, or does not handle all.

    """
    stopwatch, costs = Stopwatch(environment), Costs("an event", {one.name: [] for one in sources})
    drains = [HooklineDrain(environment, Setting(one.name, _EVENTS, variables=one.variables())) for one in sources]
    for number in range(1, rounds + 1):
        environment.progress.doing(f"events, round {number}/{rounds}")
        for drain in drains if number % 2 else reversed(drains):
            costs.add(drain.name, stopwatch.time(drain).cpu_us)
    return costs
