"""Bringing from Redis the events of which a long lane has only the ids."""

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

_MOST_LANES: Final = 50
_PAUSE_S: Final = 0.5

Supply = Callable[[Lane, Sequence[tuple[Entry, Recovered | None]]], None]
"""Takes what a lane wanted, in its order; with each what is known of it if it was pending when it was read."""


class PayloadLoader:
    """Brings what lanes want, those of several at a time."""

    def __init__(self, consumer: Consumer, supply: Supply, clock: Clock) -> None:
        self._consumer = consumer
        self._supply = supply
        self._clock = clock
        self._wanting: deque[Lane] = deque()
        self._wake = asyncio.Event()
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor, name: str) -> None:
        """Begin to bring them."""
        self._job = await supervisor.spawn(name, self._run())

    async def stop(self) -> None:
        """Bring no more."""
        if self._job is not None:
            await self._job.close()

    def want(self, lane: Lane) -> None:
        """Bring the next events that `lane` knows by their ids."""
        self._wanting.append(lane)
        self._wake.set()

    async def bring(self) -> None:
        """Serve the lanes that have been waiting longest.

        Raises:
            BrokerUnavailableError: if Redis did not answer; they are still waiting then.

        """
        lanes = [(lane, lane.wanted()) for lane in islice(self._wanting, _MOST_LANES)]
        entries = await self._consumer.entries([(lane.topic, one.entry_id) for lane, wanted in lanes for one in wanted])
        names = [record_name(lane.topic, one.entry_id) for lane, wanted in lanes for one in wanted if one.recovered]
        found, records = iter(entries), map(recover, await self._consumer.retry_records(names))
        for lane, wanted in lanes:
            self._wanting.popleft()
            self._supply(lane, [(next(found), next(records) if one.recovered else None) for one in wanted])

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            try:
                await self.bring()
            except BrokerUnavailableError:  # the reader says so
                await self._clock.sleep(_PAUSE_S)
            if not self._wanting:
                self._wake.clear()
