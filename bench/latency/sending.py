"""Running the open load, and reading its histogram."""

from typing import Final

import msgspec
from hdrh.histogram import HdrHistogram

from bench.environment import Environment
from bench.latency.plan import OpenOutcome, OpenPlan
from bench.system.processes import module, running

_PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 99.99, 100.0)
_TIMEOUT_S: Final = 60.0


def send(environment: Environment, plan: OpenPlan) -> OpenOutcome:
    """Run `plan` from the core of Redis.

    Raises:
        BenchError: if the load fails or hangs.

    """
    with running("open load", module("bench.latency.load"), environment.directory, environment.cores.rest, pipes=True) as load:
        answer = load.talk(msgspec.json.encode(plan), _TIMEOUT_S + plan.seconds)
    return msgspec.json.decode(answer, type=OpenOutcome)


def percentiles_ms(histogram: "HdrHistogram") -> dict[str, float]:
    """Return the percentiles that are shown, of a histogram of microseconds."""
    return {str(share): histogram.get_value_at_percentile(share) / 1000 for share in _PERCENTILES}
