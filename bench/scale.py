"""How much is measured: everything, or enough for a first look."""

from typing import Final, NamedTuple


class Scale(NamedTuple):
    """`jobs` is the share of each peer's full backlog; `long` tells whether to measure what takes minutes, too."""

    ingress_rounds: int
    seconds: float
    drain_rounds: int
    jobs: float
    long: bool


FULL: Final = Scale(ingress_rounds=5, seconds=3.0, drain_rounds=3, jobs=1.0, long=True)
QUICK: Final = Scale(ingress_rounds=2, seconds=1.5, drain_rounds=1, jobs=0.5, long=False)
