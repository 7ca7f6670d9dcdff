"""Yielding the event loop to handlers: the ledger can wait, an event cannot."""

from collections.abc import Callable
from time import thread_time
from typing import Final

from hookline_shared.clock import Clock

_HANDLER_SHARE: Final = 9.0
"""Seconds for handlers for each second that the ledger used, if handlers need them."""
_MAX_S: Final = 1.0
_SLICE_S: Final = 0.004
_IDLE_SHARE: Final = 0.5
"""The loop is idle if it used less than this share of a slice, and the slice ended late by less than this share. A late end
means that the loop waited for a CPU."""


async def yield_to_handlers(took_s: float, clock: Clock, cpu_time: Callable[[], float] = thread_time) -> None:
    """Wait until handlers had their share for the `took_s` seconds that the ledger used, or until the loop is idle.

    `cpu_time` returns the CPU seconds that the thread of the event loop has used.
    """
    left_s = min(took_s * _HANDLER_SHARE, _MAX_S)
    while left_s > 0:
        started, used = clock.monotonic(), cpu_time()
        await clock.sleep(_SLICE_S)
        slice_s = clock.monotonic() - started
        if cpu_time() - used < _SLICE_S * _IDLE_SHARE and slice_s < _SLICE_S * (1 + _IDLE_SHARE):
            return
        left_s -= slice_s
