"""Letting the handlers go first: the ledger can wait, an event cannot."""

import asyncio
from typing import Final

from shared.clock import Clock

_SHARE: Final = 4.0
"""How much time the others get for each second that the ledger took, while they have use for it."""
_IDLE_TURN_S: Final = 0.001
"""A turn of the event loop that takes less had nothing much to do."""
_LONGEST_S: Final = 0.5


async def give_way(took_s: float, clock: Clock) -> None:
    """Return once others had their share for the `took_s` seconds that the ledger took, or at once if none wants it."""
    left_s = min(took_s * _SHARE, _LONGEST_S)
    while left_s > 0:
        began = clock.monotonic()
        await asyncio.sleep(0)
        turn_s = clock.monotonic() - began
        if turn_s < _IDLE_TURN_S:
            return
        left_s -= turn_s
