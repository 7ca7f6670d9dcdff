"""Letting the handlers go first: the ledger can wait, an event cannot."""

from collections.abc import Callable
from time import thread_time
from typing import Final

from hookline_shared.clock import Clock

_SHARE: Final = 9.0
"""How much time the others get for each second that the ledger took, while they have use for it."""
_LONGEST_S: Final = 1.0
_SLICE_S: Final = 0.004
_IDLE: Final = 0.5
"""A slice of which the event loop uses less is one that nobody else wanted, unless it came late by as much: then it had to wait
for the processor."""


async def give_way(took_s: float, clock: Clock, cpu_time: Callable[[], float] = thread_time) -> None:
    """Return once others had their share for the `took_s` seconds that the ledger took, or soon if nobody wants it.

    `cpu_time` tells the seconds that the thread of the event loop has used.
    """
    left_s = min(took_s * _SHARE, _LONGEST_S)
    while left_s > 0:
        began, used = clock.monotonic(), cpu_time()
        await clock.sleep(_SLICE_S)
        slice_s = clock.monotonic() - began
        if cpu_time() - used < _SLICE_S * _IDLE and slice_s < _SLICE_S * (1 + _IDLE):
            return
        left_s -= slice_s
