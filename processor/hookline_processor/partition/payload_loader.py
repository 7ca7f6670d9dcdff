"""Loading the deferred entries of long lanes from Redis."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from aiojobs import Job

from hookline_processor.partition.lanes import Lane
from hookline_processor.retry import Recovered, recover
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.streams.consume import Consumer, Entry, record_name

_MAX_LANES: Final = 50
_RETRY_PAUSE_S: Final = 0.5

Loaded = Callable[[Lane, Sequence[tuple[Entry, Recovered | None]]], None]
"""Takes the loaded entries of a lane in order, each with its record if it was pending when it was read."""


class PayloadLoader:
    """Loads deferred entries, for several lanes at a time."""

    def __init__(self, consumer: Consumer, loaded: Loaded, clock: Clock) -> None:
        self._consumer = consumer
        self._loaded = loaded
        self._clock = clock
        self._requests: deque[Lane] = deque()
        self._wake = asyncio.Event()
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor, name: str) -> None:
        """Start loading."""
        self._job = await supervisor.spawn(name, self._run())

    async def stop(self) -> None:
        """Stop loading."""
        if self._job is not None:
            await self._job.close()

    def request(self, lane: Lane) -> None:
        """Queue `lane` for the loading of its next deferred entries."""
        self._requests.append(lane)
        self._wake.set()

    async def load_once(self) -> None:
        """Load entries for the lanes that have waited longest.

        Raises:
            BrokerUnavailableError: if Redis did not answer. The lanes stay queued.

        """
        lanes = [(lane, lane.next_to_load()) for lane in islice(self._requests, _MAX_LANES)]
        entries = await self._consumer.entries([(lane.topic, entry.entry_id) for lane, deferred in lanes for entry in deferred])
        names = [record_name(lane.topic, entry.entry_id) for lane, deferred in lanes for entry in deferred if entry.recovered]
        found, records = iter(entries), map(recover, await self._consumer.retry_records(names))
        for lane, deferred in lanes:
            self._requests.popleft()
            self._loaded(lane, [(next(found), next(records) if entry.recovered else None) for entry in deferred])

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            try:
                await self.load_once()
            except BrokerUnavailableError:  # the reader logs it
                await self._clock.sleep(_RETRY_PAUSE_S)
            if not self._requests:
                self._wake.clear()
