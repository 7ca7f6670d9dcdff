"""The extent of the measurements: everything, or enough for a first look."""

from typing import Final, NamedTuple


class Scale(NamedTuple):
    """The extent of each part.

    `seconds` is the length of a round of ingress, `jobs` the share of each peer's full backlog; `long` tells whether to measure
    what takes minutes, too. `open_s` is how long each rate of the open load is held, and `patience_s` after how many quiet
    seconds a job counts as lost: more than the ten in which a lease of Hookline's default runs out.
    """

    ingress_rounds: int
    seconds: float
    drain_rounds: int
    jobs: float
    long: bool
    open_s: float
    patience_s: float


FULL: Final = Scale(ingress_rounds=5, seconds=3.0, drain_rounds=3, jobs=1.0, long=True, open_s=10.0, patience_s=75.0)
QUICK: Final = Scale(ingress_rounds=2, seconds=1.5, drain_rounds=1, jobs=0.5, long=False, open_s=2.0, patience_s=20.0)
