"""Reading the topics of one partition: pending entries first, then new ones, while the window has room.

Each topic is read from a position. "0" yields the pending entries of the consumer, left by a previous owner or a lost reply.
When all of them are known, the position becomes ">", which yields new entries. After any error every position returns to "0".
So pending entries always come before new ones, and every pending entry is known to its owner. Those that wait are not among
them: they belong to another consumer of the group (`waiting/waiting_lanes.py`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from math import inf
from typing import Any, Final, NamedTuple

from aiojobs import Job

from hookline_processor.metrics import BODIES_GONE, GROUPS_RECREATED
from hookline_processor.partition.memory_limits import Room
from hookline_processor.retry_record import Recovered, recover
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError, GroupMissingError, HooklineError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.streams.consume import NEW, Consumer, Entry
from hookline_shared.streams.settlements import record_name

_PENDING: Final = "0"
_WAIT_TIMEOUT_S: Final = 2.0
_WAIT_TIMEOUT_WHILE_FULL_S: Final = 0.25
"""The longest wait for new entries while a topic is full: the wait does not cover that topic."""
_RETRY_PAUSE_S: Final = 0.5
_SWEEP_INTERVAL_S: Final = 30.0

Admit = Callable[[str, Iterable[tuple[Entry, Recovered | None]]], Awaitable[int]]
"""Takes entries of a topic that are not in memory yet, with their records if they were pending; returns their bytes."""


class Reading(NamedTuple):
    """When to read: while `trusted` and `ledger_has_room` are set, the topics for which `is_paused` is false."""

    trusted: asyncio.Event
    ledger_has_room: asyncio.Event
    is_paused: Callable[[str], bool]


class Reader:
    """Reads as `reading` says, while `room` is free, and passes what it reads to `admit`.

    `lost_touch` is called when all pending entries of a topic were read, after an error, and at every sweep, in case that
    something was missed.
    """

    def __init__(
        self,
        consumer: Consumer,
        room: Room,
        admit: Admit,
        lost_touch: Callable[[], None],
        reading: Reading,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._consumer = consumer
        self._room = room
        self._admit = admit
        self._lost_touch = lost_touch
        self._reading = reading
        self._clock = clock
        self._logger = logger
        self._positions = dict.fromkeys(consumer.topics, _PENDING)
        self._delivered: dict[str, str] = {}
        self._settled_since_read: set[str] = set()
        self._last_sweep_at = -inf
        self._new_entries: asyncio.Future[bool] | None = None
        self._expect_new = False
        self._problem: str | None = None
        self._caught_up: set[str] = set()
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor, name: str, *, owned_before: bool) -> None:
        """Start reading. `owned_before` is whether this process has read the partition before."""
        self._job = await supervisor.spawn(name, self._run(owned_before=owned_before))

    async def stop(self) -> None:
        """Stop reading. An entry of an interrupted read stays pending for the next owner."""
        if self._job is not None:
            await self._job.close()
        self._cancel_wait()

    def check(self) -> str | None:
        """Return the readiness check: why this partition cannot be read, or None if it can."""
        return self._problem

    def is_caught_up(self, topic: str) -> bool:
        """Whether all pending entries of `topic` were read, since the start or the last error."""
        return topic in self._caught_up

    def settled(self, topic: str, entry_id: str) -> None:
        """Note that an entry was settled, or waits: it may be in the answer to a read that was under way."""
        self._settled_since_read.add(entry_id)
        self._room.release(topic, entry_id)

    async def _run(self, *, owned_before: bool) -> None:
        while True:
            await self._reading.trusted.wait()
            try:
                await self._prepare(owned_before=owned_before)
                owned_before = True
                while True:
                    await self._reading.ledger_has_room.wait()
                    await self._sweep()
                    await self.read_once()
                    self._problem = None
            except (BrokerUnavailableError, GroupMissingError) as error:
                await self._recover(error)

    async def _prepare(self, *, owned_before: bool) -> None:
        missing = await self._consumer.ensure_groups()
        if missing and owned_before:
            GROUPS_RECREATED.inc()
            self._logger.error("consumer groups were missing and are created again; was Redis flushed?", groups=missing)
        await self._refresh_delivered()

    async def _refresh_delivered(self) -> None:
        self._delivered = {topic: group.delivered for topic, group in (await self._consumer.groups()).items()}

    async def _sweep(self) -> None:
        """Periodically find pending entries that are not in memory, and read them.

        They appear if another client reads with this consumer group, or if a replica that lacked some settlements became the
        master between two commands.
        """
        now = self._clock.monotonic()
        if now - self._last_sweep_at < _SWEEP_INTERVAL_S:
            return
        self._last_sweep_at = now
        self._lost_touch()
        others, gone = await self._consumer.adopt()
        for topic, count in gone.items():
            if count:
                BODIES_GONE.labels(topic).inc(count)
        if others:
            self._logger.warning(
                "took over entries that other consumers read with the group of the processor", consumers=others
            )
        for topic, group in (await self._consumer.groups()).items():
            if group.in_memory > self._room.count(topic):  # or an entry was settled just now, and the extra read is harmless
                self._positions[topic] = _PENDING

    async def _recover(self, error: HooklineError) -> None:
        """Log the problem once, wait until Redis answers, and start again with pending entries."""
        self._cancel_wait()
        self._positions = dict.fromkeys(self._positions, _PENDING)
        self._caught_up.clear()
        self._lost_touch()
        self._room.read_failed()
        if self._problem is None:
            self._logger.warning("reading waits for redis", error=str(error))
        self._problem = str(error)
        await self._clock.sleep(_RETRY_PAUSE_S)
        await self._consumer.wait_for_redis()

    async def read_once(self) -> None:
        """Read one batch of every open topic and admit its entries, then wait if there may be no more.

        Raises:
            BrokerUnavailableError, GroupMissingError: if the topics could not be read.

        """
        open_topics = [topic for topic in self._room.open_topics() if self._may_read(topic)]
        if not open_topics:
            await self._wait_freed()
            return
        recovering = any(self._positions[topic] != NEW for topic in open_topics)
        full = False
        found = 0
        self._settled_since_read.clear()
        for count, topics in self._room.reads(open_topics).items():
            read = dict(await self._consumer.read({topic: self._positions[topic] for topic in topics}, count))
            for topic in topics:
                entries = read.get(topic, ())
                await self._admit_all(topic, entries)
                found += len(entries)
                full = full or len(entries) == count
        self._note_progress()
        if not found and self._expect_new:
            await self._refresh_delivered()  # another client has read the announced entries
        if not full and not recovering:
            self._expect_new = await self._wait_for_more(open_topics)

    def _may_read(self, topic: str) -> bool:
        """Whether `topic` is not paused, or has pending entries: its waiting lanes wait until these are known."""
        return self._positions[topic] != NEW or not self._reading.is_paused(topic)

    async def _wait_freed(self) -> None:
        """Wait until a topic may be read; a pause may end at any time."""
        try:
            async with asyncio.timeout(_WAIT_TIMEOUT_WHILE_FULL_S):
                await self._room.wait_freed()
        except TimeoutError:
            pass

    def _note_progress(self) -> None:
        known = {topic for topic, position in self._positions.items() if position == NEW}
        if known - self._caught_up:
            self._caught_up |= known
            self._lost_touch()

    async def _admit_all(self, topic: str, entries: Sequence[Entry]) -> None:
        recovered: Sequence[Recovered | None] = [None] * len(entries)
        if self._positions[topic] != NEW:
            records = await self._consumer.retry_records([record_name(topic, entry.id) for entry in entries])
            recovered = [recover(record) for record in records]
            self._positions[topic] = entries[-1].id if entries else NEW
        elif entries:
            self._delivered[topic] = entries[-1].id
        # An entry that was settled during the read has left memory, and must not be admitted again.
        unsettled = (pair for pair in zip(entries, recovered, strict=True) if pair[0].id not in self._settled_since_read)
        self._room.was_read(topic, len(entries), await self._admit(topic, unsettled))

    async def _wait_for_more(self, topics: Sequence[str]) -> bool:
        """Wait until one of `topics` has new entries, or another topic opens. Return whether there are new entries.

        If a topic opens first, the wait for new entries goes on in the background: cancelling it would cost its connection.
        """
        if self._new_entries is None:
            timeout_s = _WAIT_TIMEOUT_S if len(topics) == len(self._positions) else _WAIT_TIMEOUT_WHILE_FULL_S
            after = {topic: self._delivered[topic] for topic in topics}
            self._new_entries = asyncio.ensure_future(self._consumer.wait_for_new(after, timeout_s))
        opened = asyncio.ensure_future(self._room.wait_freed())
        try:
            waits: list[asyncio.Future[Any]] = [self._new_entries, opened]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            opened.cancel()
        if not self._new_entries.done():
            return False
        waited, self._new_entries = self._new_entries, None
        return waited.result()

    def _cancel_wait(self) -> None:
        if self._new_entries is not None and not self._new_entries.cancel() and not self._new_entries.cancelled():
            self._new_entries.exception()  # retrieved because asyncio warns about exceptions that nobody retrieves
        self._new_entries = None
