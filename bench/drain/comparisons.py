"""The comparisons: the processor with its peers, and with itself in other settings."""

from collections.abc import Sequence
from typing import Final

import msgspec

from bench.drain.contender import Contender
from bench.drain.hookline import HooklineDrain, Setting
from bench.drain.peer import PeerDrain
from bench.drain.rounds import race
from bench.environment import Environment
from bench.peers.usable import usable
from bench.report.figures import DrainFigures
from bench.scale import Scale

HOOKLINE: Final = "Hookline"
BASIS: Final = "8 partitions, 100k"
_JOBS: Final = 100_000
_STARTS: Final = 3


def beside_peers(environment: Environment, scale: Scale) -> DrainFigures:
    """Compare the processor with every peer that can be installed."""
    peers, left_out = usable(environment)
    hookline = HooklineDrain(environment, Setting(HOOKLINE, int(_JOBS * scale.jobs)))
    ready = _starts(environment, hookline)
    contenders: list[Contender] = [hookline, *(PeerDrain(environment, peer, int(peer.drained * scale.jobs)) for peer in peers)]
    figures = race(environment, contenders, scale.drain_rounds)
    versions = {peer.name: peer.environment.version(peer.package) for peer in peers}
    return msgspec.structs.replace(figures, left_out=left_out, versions=versions, ready_s=ready)


def beside_itself(environment: Environment, scale: Scale) -> DrainFigures:
    """Compare the processor with itself; each setting differs in one point from the first."""
    million = [HooklineDrain(environment, Setting("8 partitions, 1M", 1_000_000))] if scale.long else []
    once = race(environment, million, 1)  # right before the first round of the basis, with which it is compared
    figures = race(environment, [HooklineDrain(environment, setting) for setting in _settings(scale)], scale.drain_rounds)
    return DrainFigures(drains=[*figures.drains, *once.drains], failures=figures.failures + once.failures)


def _settings(scale: Scale) -> Sequence[Setting]:
    jobs = int(_JOBS * scale.jobs)
    return (
        Setting(BASIS, jobs),
        Setting("8 partitions, 10k", jobs // 10),
        Setting("1 partition", jobs, partitions=1),
        Setting("64 partitions", jobs, partitions=64),
        Setting("unordered topic", jobs, ordered=False),
        Setting("1 % fail once", jobs, handlers="failing"),
        Setting("handlers of 5 ms", jobs // 2, handlers="five_ms"),
        *((Setting("2 processes", 4 * jobs, processes=2),) if scale.long else ()),
    )


def _starts(environment: Environment, hookline: HooklineDrain) -> list[float]:
    """Return the seconds until an idle processor is ready, for a few starts."""
    environment.progress.doing("starting the processor")
    return [hookline.start() for _ in range(_STARTS)]
