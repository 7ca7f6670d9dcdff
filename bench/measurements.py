"""The parts of the benchmark, and how they are run."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from traceback import format_exc
from typing import Final, NamedTuple, TypeVar

from redis.exceptions import RedisError

from bench.drain.comparisons import beside_itself, beside_peers
from bench.environment import Environment
from bench.faults.trial import faults
from bench.ingress_rounds import IngressRounds
from bench.latency.overload import overloads
from bench.latency.rounds import LatencyRounds
from bench.losses.run import measure_losses
from bench.operations import operations
from bench.peers.installing import installed
from bench.peers.receivers import RECEIVERS
from bench.report.figures import INGRESS, rates
from bench.report.report import Report
from bench.scale import Scale
from hookline_shared.errors import HooklineError

Figures = TypeVar("Figures")


class Part(StrEnum):
    """A part that can be measured alone, in the order of the run."""

    INGRESS = "ingress"
    PEERS = "peers"
    VARIANTS = "variants"
    OPERATIONS = "operations"
    LATENCY = "latency"
    OVERLOAD = "overload"
    FAULTS = "faults"
    LOSSES = "losses"


_LONG: Final = (Part.OVERLOAD, Part.FAULTS, Part.LOSSES)
"""What takes minutes, and is left out of a first look unless it was asked for by name."""


class Options(NamedTuple):
    """What to measure, how much of it, and with how many connections to ingress. No part means all."""

    parts: frozenset[Part]
    scale: Scale
    connections: int

    def wants(self, part: Part) -> bool:
        """Whether to measure `part`."""
        return part in self.parts or (not self.parts and (self.scale.long or part not in _LONG))


def measure(report: Report, environment: Environment, options: Options) -> None:
    """Measure each part that `options` want into `report`; the others are measured even if one fails."""
    for part in Part:
        if options.wants(part):
            _MEASURES[part](report, environment, options)


def _ingress(report: Report, environment: Environment, options: Options) -> None:
    receivers, left_out = installed(environment.progress, RECEIVERS)
    report.left_out += left_out
    rounds = IngressRounds(environment, receivers, options.connections, options.scale.seconds)
    report.ingress = _attempt(report, lambda: rounds.run(options.scale.ingress_rounds))
    report.problems += report.ingress.failures() if report.ingress else []


def _peers(report: Report, environment: Environment, options: Options) -> None:
    report.peers = _attempt(report, lambda: beside_peers(environment, options.scale))
    report.problems += report.peers.problems() if report.peers else []
    report.left_out += report.peers.left_out if report.peers else []


def _variants(report: Report, environment: Environment, options: Options) -> None:
    report.variants = _attempt(report, lambda: beside_itself(environment, options.scale))
    report.problems += report.variants.problems() if report.variants else []


def _operations(report: Report, environment: Environment, _options: Options) -> None:
    report.operations = _attempt(report, lambda: operations(environment))


def _latency(report: Report, environment: Environment, options: Options) -> None:
    report.latency = _attempt(report, LatencyRounds(environment, options.scale, _peak(report)).run)
    report.problems += report.latency.failures() if report.latency else []


def _overload(report: Report, environment: Environment, options: Options) -> None:
    peak = _peak(report)
    if peak is None:
        report.problems.append(
            "What is too much for ingress is not known unless it is measured in the same run: --only ingress"
        )
        return
    report.overload = _attempt(report, lambda: overloads(environment, peak, options.scale.seconds))


def _faults(report: Report, environment: Environment, _options: Options) -> None:
    report.faults = _attempt(report, lambda: faults(environment))


def _losses(report: Report, environment: Environment, options: Options) -> None:
    report.losses = _attempt(report, lambda: measure_losses(environment, options.scale))
    report.problems += report.losses.failures if report.losses else []
    report.left_out += report.losses.left_out if report.losses else []


def _peak(report: Report) -> float | None:
    """Return the peak rate of ingress in requests per second, if it was measured."""
    rounds = report.ingress.of(INGRESS) if report.ingress else []
    return rates(rounds).median if rounds else None


def _attempt(report: Report, measured: Callable[[], Figures]) -> Figures | None:
    try:
        return measured()
    except HooklineError as error:
        report.problems.append(str(error))
    except (RedisError, OSError) as error:
        report.problems.append(f"Redis, or the machine, gave way while this was measured: {error!r}")
    except Exception:  # noqa: BLE001 - a mistake in one part must not take along what the others measured for minutes
        report.problems.append(f"The benchmark itself made a mistake:\n{format_exc()}")
    return None


_MEASURES: Final[Mapping[Part, Callable[[Report, Environment, Options], None]]] = {
    Part.INGRESS: _ingress,
    Part.PEERS: _peers,
    Part.VARIANTS: _variants,
    Part.OPERATIONS: _operations,
    Part.LATENCY: _latency,
    Part.OVERLOAD: _overload,
    Part.FAULTS: _faults,
    Part.LOSSES: _losses,
}
