"""Claims signed texts in a cluster, where that takes calls of its own.

The partition of a claim follows from the signed text alone, and is hardly ever that of the event. So its master may be away or
slow while that of the event works. No event waits for such a master, or is kept back: it is then stored without a claim.
Whoever has one genuine webhook may use that time, but cannot cause it.

    asked      the claims are on their way, each master's on its own
    answered   within `_PATIENCE_S`: claimed, or refused because the text made another event
    late       nothing waits for the answer any more. It may still come, and the claim then holds for later copies. Until
               `_PAUSE_S` after its end nothing else is asked of this partition, so that few batches wait for a slow master
    failed     the master is away, or refused the command: the same, without the wait

If the process dies after a claim, the next delivery of the webhook has the same one.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any, Final

from hookline_shared.event import Event
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager, ScriptCall
from hookline_shared.streams.scripts import load_script

_SCRIPT: Final = load_script("claim")
_PATIENCE_S: Final = 0.1
"""Much more than an exchange takes, also while the event loop is busy: who can make it busy must not be rid of the claims."""
_PAUSE_S: Final = 0.25

Claimed = bool | None
"""Whether the signed text is claimed for the event; False if it is for another one, None if nobody knows."""


class Claims:
    """Claims the signed texts of events for `window_s` seconds."""

    def __init__(self, redis: RedisConnectionManager, partitions: int, window_s: int) -> None:
        self._redis = redis
        self._partitions = partitions
        self._window_ms = window_s * 1000
        self._paused_until: dict[int, float] = {}
        self._late: set[asyncio.Task[list[Any]]] = set()

    async def claim(self, events: Sequence[Event], timeout_s: float) -> list[Claimed]:
        """Claim the text of each of `events` that has a claim; return the outcomes in the same order.

        It takes `_PATIENCE_S` at most. `timeout_s` is that of the commands.
        """
        groups = self._groups(events)
        answers = await self._ask({one: self._call([events[at] for at in places]) for one, places in groups.items()}, timeout_s)
        outcomes: list[Claimed] = [None] * len(events)
        for partition, places in groups.items():
            for at, claimed in zip(places, answers.get(partition, ()), strict=False):
                outcomes[at] = bool(claimed)
        return outcomes

    def _groups(self, events: Sequence[Event]) -> dict[int, list[int]]:
        """Return the indexes of the events with a claim by the partition of that, without partitions that are not asked now."""
        now = self._redis.clock.monotonic()
        groups: dict[int, list[int]] = {}
        for at, event in enumerate(events):
            if event.claim:
                groups.setdefault(partition_of(event.signed_text, self._partitions), []).append(at)
        return {one: places for one, places in groups.items() if self._paused_until.get(one, now) <= now}

    def _call(self, events: Sequence[Event]) -> ScriptCall:
        keys = [self._redis.keys.signed(partition_of(one.signed_text, self._partitions), one.signed_text) for one in events]
        return ScriptCall(keys, [self._window_ms, *(one.claim for one in events)])

    async def _ask(self, calls: Mapping[int, ScriptCall], timeout_s: float) -> dict[int, Sequence[int]]:
        """Return the answers by partition, those that come in time."""
        partitions = list(calls)
        tasks: dict[asyncio.Task[list[Any]], list[int]] = {}
        for places in self._redis.by_master([call.keys[0] for call in calls.values()]):
            own = [partitions[at] for at in places]
            asking = self._redis.run("claim", _SCRIPT, [calls[one] for one in own], timeout_s)
            tasks[asyncio.create_task(asking, name="claims on signatures")] = own
        done, late = await asyncio.wait(tasks, timeout=min(_PATIENCE_S, timeout_s / 2)) if tasks else (set(), set())
        for task in late:
            self._late.add(task)
            self._paused_until.update((one, inf) for one in tasks[task])
            task.add_done_callback(partial(self._end_late, tasks[task]))
        answered = {one: answer for task in done for one, answer in zip(tasks[task], task.result(), strict=True)}
        found = {one: answer for one, answer in answered.items() if not isinstance(answer, Exception)}
        self._pause([one for one in answered if one not in found])
        return found

    def _end_late(self, partitions: Iterable[int], task: asyncio.Task[list[Any]]) -> None:
        self._late.discard(task)
        self._pause(partitions)

    def _pause(self, partitions: Iterable[int]) -> None:
        until = self._redis.clock.monotonic() + _PAUSE_S
        self._paused_until.update((one, until) for one in partitions)
