"""Looks at Redis and the services again and again, as `hookline status --watch` does: every second while somebody watches."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from hookline_cli.status.collector import Collector
from hookline_cli.status.snapshot import RedisState, Snapshot
from hookline_console.live.history import INTERVAL_S, History, sample_of
from hookline_shared.clock import Clock
from hookline_shared.errors import HooklineError

_WATCHED_S: Final = 1.0
_MOST_WATCHERS: Final = 100


class StatusWatch:
    """The newest `snapshot`. `known` is the newest state of Redis that was read, perhaps older, of Unix ms `known_at_ms`."""

    def __init__(self, collector: Collector, history: History, clock: Clock) -> None:
        self._collector = collector
        self._history = history
        self._clock = clock
        self.interval_s = _WATCHED_S
        """Seconds between two looks while somebody watches."""
        self._turn = asyncio.Lock()
        self._watchers = 0
        self._wake = asyncio.Event()
        self._looked = asyncio.Event()
        self._sampled = -INTERVAL_S
        self.snapshot: Snapshot | None = None
        self.known = RedisState()
        self.known_at_ms = 0

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await self._pause()

    async def look(self) -> Snapshot:
        """Look once, and let the watchers know."""
        async with self._turn:
            return await self._look()

    async def current(self) -> Snapshot:
        """Return the newest snapshot, which is at most seconds old. Many pages at once wait for one look."""
        async with self._turn:
            found = self.snapshot
            if found is None or self._clock.now_ms() - found.at_ms > 2 * _WATCHED_S * 1000:
                found = await self._look()
            return found

    @property
    def is_full(self) -> bool:
        """Whether there are as many watchers as there may be."""
        return self._watchers >= _MOST_WATCHERS

    async def watch(self) -> AsyncGenerator[Snapshot, None]:
        """Yield each new snapshot."""
        self._watchers += 1
        self._wake.set()
        try:
            while True:
                await self._looked.wait()
                if self.snapshot is not None:
                    yield self.snapshot
        finally:
            self._watchers -= 1

    async def _look(self) -> Snapshot:
        found = await self._collector.look()
        if found.redis_problem is None:
            self.known, self.known_at_ms = found.redis, found.at_ms
            await self._sample(found)
        self.snapshot = found
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()
        return found

    async def _sample(self, found: Snapshot) -> None:
        now = self._clock.monotonic()
        if now - self._sampled < INTERVAL_S or not found.redis.partitions:
            return
        self._sampled = now
        with suppress(HooklineError):  # the chart has a gap then
            await self._history.add(sample_of(found))

    async def _pause(self) -> None:
        self._wake.clear()
        alarm = self._clock.call_later(self.interval_s if self._watchers else INTERVAL_S, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            alarm.cancel()
