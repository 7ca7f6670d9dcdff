"""Reading the topics of one partition: pending entries first, then new ones, for as long as there is room.

Each topic is read from a position. It starts at "0", which yields our own pending entries, left by a predecessor or by an
answer that got lost; once those are all known it becomes ">", which yields new ones. After any error every position goes back
to "0". So pending entries always come before new ones, and none is ever pending under nobody.
"""

import asyncio
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final

from aiojobs import Job

from hookline_processor.metrics import GROUPS_RECREATED
from hookline_processor.partition.window import Window
from hookline_processor.retry import Recovered, recover
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError, GroupMissingError, HooklineError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.streams.consume import NEW, Consumer, Entry, record_name

_FROM_THE_START: Final = "0"
_WAIT_S: Final = 2.0
_WAIT_WHILE_FULL_S: Final = 0.25
"""How long one wait for new entries may take while some topic is full, since it does not notice those of that topic."""
_PAUSE_S: Final = 0.5
_SWEEP_INTERVAL_S: Final = 30.0

Admit = Callable[[str, Entry, Recovered | None], None]
"""Takes an entry of a topic that is not known yet, and what is known of it if it was pending already."""


class Reader:
    """Reads while `trusted` and `room` are set, and gives each entry once to `admit`, for which `window` has room."""

    def __init__(
        self,
        consumer: Consumer,
        window: Window,
        admit: Admit,
        trusted: asyncio.Event,
        room: asyncio.Event,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._consumer = consumer
        self._window = window
        self._admit = admit
        self._trusted = trusted
        self._room = room
        self._clock = clock
        self._logger = logger
        self._positions = dict.fromkeys(consumer.topics, _FROM_THE_START)
        self._delivered: dict[str, str] = {}
        self._settled_since_read: set[str] = set()
        self._swept_at = -inf
        self._watch: asyncio.Future[bool] | None = None
        self._announced = False
        self._problem: str | None = None
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor, name: str, *, known: bool) -> None:
        """Begin to read. `known` tells whether this process has read the partition before."""
        self._job = await supervisor.spawn(name, self._run(known=known))

    async def stop(self) -> None:
        """Read nothing more. An entry whose reading this interrupts stays pending, for the next owner."""
        if self._job is not None:
            await self._job.close()
        self._stop_watching()

    def check(self) -> str | None:
        """Return the readiness check: why this partition cannot be read, None while it can."""
        return self._problem

    def settled(self, topic: str, entry_id: str) -> None:
        """Make room: the entry has left Redis."""
        self._settled_since_read.add(entry_id)
        self._window.release(topic, entry_id)

    async def _run(self, *, known: bool) -> None:
        while True:
            await self._trusted.wait()
            try:
                await self._prepare(known=known)
                known = True
                while True:
                    await self._room.wait()
                    await self._sweep()
                    await self.read_once()
                    self._problem = None
            except (BrokerUnavailableError, GroupMissingError) as error:
                await self._wait_to_read_again(error)

    async def _prepare(self, *, known: bool) -> None:
        missing = await self._consumer.ensure_groups()
        if missing and known:
            GROUPS_RECREATED.inc()
            self._logger.error("consumer groups were missing and are created again; was Redis flushed?", groups=missing)
        await self._catch_up()

    async def _catch_up(self) -> None:
        self._delivered = {topic: group.delivered for topic, group in (await self._consumer.groups()).items()}

    async def _sweep(self) -> None:
        """Now and then, look for entries that are pending and known to nobody, and read them.

        There are some if somebody reads with our group by hand, or if a replica that lacked some settlements has become the
        master between two of our commands.
        """
        now = self._clock.monotonic()
        if now - self._swept_at < _SWEEP_INTERVAL_S:
            return
        self._swept_at = now
        if others := await self._consumer.adopt():
            self._logger.warning(
                "took over entries that other consumers read with the group of the processor", consumers=others
            )
        for topic, group in (await self._consumer.groups()).items():
            if group.pending > self._window.known(topic):  # or one was settled just now: then a look for nothing does no harm
                self._positions[topic] = _FROM_THE_START

    async def _wait_to_read_again(self, error: HooklineError) -> None:
        """Say what is wrong once, wait until Redis answers, and begin with what is pending."""
        self._stop_watching()
        self._positions = dict.fromkeys(self._positions, _FROM_THE_START)
        if self._problem is None:
            self._logger.warning("reading waits for redis", error=str(error))
        self._problem = str(error)
        await self._clock.sleep(_PAUSE_S)
        await self._consumer.wait_for_redis()

    async def read_once(self) -> None:
        """Read one batch of every open topic, hand it on, and if there may be no more, wait for it.

        Raises:
            BrokerUnavailableError, GroupMissingError: if it could not be read.

        """
        open_topics = self._window.open_topics()
        if not open_topics:
            await self._window.wait_opened()
            return
        recovering = any(self._positions[topic] != NEW for topic in open_topics)
        most = 0
        self._settled_since_read.clear()
        for topic, entries in await self._consumer.read(
            {topic: self._positions[topic] for topic in open_topics}, self._window.batch
        ):
            await self._admit_all(topic, entries)
            most = max(most, len(entries))
        if not most and self._announced:
            await self._catch_up()  # somebody has read by hand what we were told of
        if most < self._window.batch and not recovering:
            self._announced = await self._wait_for_more(open_topics)

    async def _admit_all(self, topic: str, entries: Sequence[Entry]) -> None:
        recovered: Sequence[Recovered | None] = [None] * len(entries)
        if self._positions[topic] != NEW:
            records = await self._consumer.retry_records([record_name(topic, entry.id) for entry in entries])
            recovered = [recover(record) for record in records]
            self._positions[topic] = entries[-1].id if entries else NEW
        elif entries:
            self._delivered[topic] = entries[-1].id
        for entry, known in zip(entries, recovered, strict=True):
            # One that was settled while the answer was on its way has left the window, and is not known there any more.
            if entry.id not in self._settled_since_read and self._window.admit(topic, entry.id):
                self._admit(topic, entry, known)

    async def _wait_for_more(self, topics: Sequence[str]) -> bool:
        """Wait until one of `topics` has something new, or another one is open; return whether it is the former.

        A wait that the latter ends goes on beside what is read then: to cancel it would cost its connection.
        """
        if self._watch is None:
            wait_s = _WAIT_S if len(topics) == len(self._positions) else _WAIT_WHILE_FULL_S
            after = {topic: self._delivered[topic] for topic in topics}
            self._watch = asyncio.ensure_future(self._consumer.wait_for_new(after, wait_s))
        opened = asyncio.ensure_future(self._window.wait_opened())
        try:
            waits: list[asyncio.Future[Any]] = [self._watch, opened]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            opened.cancel()
        if not self._watch.done():
            return False
        watch, self._watch = self._watch, None
        return watch.result()

    def _stop_watching(self) -> None:
        if self._watch is not None and not self._watch.cancel() and not self._watch.cancelled():
            self._watch.exception()  # of no interest any more, but asyncio complains about those that nobody looked at
        self._watch = None
