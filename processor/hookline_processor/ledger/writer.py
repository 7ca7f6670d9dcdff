"""Moves settled events from the ledger streams to the database, in batches.

An entry is removed from its stream after its transaction is committed. After a crash in between, a lost reply or a takeover,
the same entries are written again, which changes nothing. While the database is unavailable, entries wait in Redis.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from random import random
from typing import Final, NamedTuple

from aiojobs import Job

from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_processor.ledger.database.errors import DatabaseUnavailableError, RowRefusedError
from hookline_processor.ledger.database.store import Store
from hookline_processor.ledger.entry import SettledEvent, read_entry
from hookline_processor.ledger.metrics import LEDGER_BATCH_SECONDS, LEDGER_EVENTS
from hookline_processor.ledger.rows.rows import Rows, bare, bare_rows_of, rows_of
from hookline_processor.ledger.yielding import yield_to_handlers
from hookline_shared.batch_size import BatchSize
from hookline_shared.breaker import Breaker, BreakerOpenError, State
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.streams.ledger import FRONT, LedgerEntry, LedgerStreams

_IDLE_S: Final = 0.25
"""The pause when there is nothing to move, which gathers a slow stream of events into one transaction."""
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.1, 2.0
_BYTES: Final = 4 << 20
"""The approximate limit of a batch in memory: a body may have 1 MiB."""
_ROWS_PER_TURN: Final = 50


class WriterLimits(NamedTuple):
    """The limits of a writer: events per transaction, seconds per transaction, and what is stored of bodies."""

    batch: int
    timeout_s: float
    bodies: BodyPolicy


class _Item(NamedTuple):
    entry: LedgerEntry
    rows: Rows

    @property
    def name(self) -> tuple[int, str]:
        return self.entry.partition, self.entry.id


class LedgerWriter:
    """Moves the ledger streams of the partitions that `owned` returns, one batch after another."""

    def __init__(
        self,
        streams: LedgerStreams,
        store: Store,
        breaker: Breaker,
        owned: Callable[[], Collection[int]],
        limits: WriterLimits,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._streams = streams
        self._store = store
        self._breaker = breaker
        self._owned = owned
        self._limits = limits
        self._clock = clock
        self._logger = logger
        self._verified = False
        self._problem: str | None = None
        self._failures = 0
        self._set_aside: dict[int, str] = {}
        """The last entry that was set aside, by partition. All entries before it are set aside as well."""
        self._size = BatchSize(limits.batch, _BYTES)
        self._full_partitions = 0
        """The number of partitions that filled their part of the last batch. They share the next batch; if 0, all share it."""
        self._next_partition = 0
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Start moving entries."""
        self._job = await supervisor.spawn("ledger writer", self._run())

    async def stop(self) -> None:
        """Stop. The next writer repeats an interrupted batch."""
        if self._job is not None:
            await self._job.close()

    async def flush(self, partitions: Collection[int], timeout_s: float) -> None:
        """Move the remaining entries of `partitions`, for at most `timeout_s` seconds, while the database works."""
        self._owned = lambda: partitions
        with suppress(TimeoutError, DatabaseUnavailableError, BrokerUnavailableError, BreakerOpenError):
            async with asyncio.timeout(timeout_s):
                while await self.pass_once():
                    pass

    def warnings(self) -> list[str]:
        """Return why events are not written to the database, one text for each problem."""
        texts = [f"{self._problem}. Events are still handled; their history waits in Redis"] if self._problem else []
        if self._set_aside:
            texts.append("the database refuses some events because of their content; they stay in Redis, see the log")
        return texts

    async def pass_once(self) -> int:
        """Move one batch; return how many events it had.

        Raises:
            DatabaseUnavailableError: if the database cannot be used now.
            BreakerOpenError: if the breaker is open, so that nothing was tried.
            BrokerUnavailableError: if Redis did not answer. The written entries will be written again.

        """
        await self._verify()
        try:
            return await self._move()
        except (BrokerUnavailableError, DatabaseUnavailableError):
            self._size.failed()
            raise

    async def _move(self) -> int:
        began = self._clock.monotonic()
        entries = await self._read()
        if not entries:
            return 0
        items = await self._items(entries)
        refused = await self._write(items)
        await self._streams.remove(item.entry for item in items if item.name not in refused)
        # After the removal, because entries up to the last one that was set aside are not read again.
        self._set_aside |= {item.entry.partition: item.entry.id for item in items if item.name in refused}
        self._size.succeeded(len(entries), sum(len(field) for entry in entries for field in entry.fields))
        await yield_to_handlers(self._clock.monotonic() - began, self._clock)
        return len(items)

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(await self._step())

    async def _step(self) -> float:
        """Move one batch, and return the seconds to wait until the next."""
        try:
            await self.pass_once()
        except BreakerOpenError:
            return max(0.01, self._breaker.seconds_to_probe())
        except DatabaseUnavailableError as error:
            return self._back_off(error)
        except BrokerUnavailableError:
            return _MAX_PAUSE_S  # the readiness check reports it
        if self._problem:
            self._logger.info("the ledger's database works again")
        self._problem, self._failures = None, 0
        return 0 if self._full_partitions else _IDLE_S

    def _back_off(self, error: DatabaseUnavailableError) -> float:
        if self._problem is None or (error.needs_operator and str(error) != self._problem):
            self._logger.warning("the ledger is waiting for its database", error=str(error))
        self._problem = str(error)
        self._failures += 1
        self._verified = False  # the database may come back with other tables
        return min(_FIRST_PAUSE_S * 2.0 ** min(self._failures, 10), _MAX_PAUSE_S) * (1 - random() / 2)  # noqa: S311

    async def _verify(self) -> None:
        """Check that the database answers and has the tables: before the first batch, and as the probe of the breaker."""
        if self._breaker.state is not State.CLOSED:
            if self._breaker.seconds_to_probe() > 0:
                raise BreakerOpenError("database", self._problem or "", "later")
            with self._breaker.probe():
                await self._timed(self._store.probe())
        elif not self._verified:
            with self._breaker.guard():
                await self._timed(self._store.probe())
        self._verified = True

    async def _read(self) -> list[LedgerEntry]:
        owned = self._owned()
        self._set_aside = {number: entry for number, entry in self._set_aside.items() if number in owned}
        requested = max(1, self._size.count // (self._full_partitions or len(owned) or 1))
        self._full_partitions = 0
        for numbers in self._in_turn(sorted(owned)):
            positions = {number: self._set_aside.get(number, FRONT) for number in numbers}
            if entries := await self._streams.read(positions, requested):
                counts = Counter(entry.partition for entry in entries)
                self._full_partitions = sum(count >= requested for count in counts.values())
                self._next_partition = numbers[-1] + 1
                return entries
        return []

    def _in_turn(self, owned: Sequence[int]) -> Iterator[Sequence[int]]:
        """Yield the partitions that are read together: all, or while batches are smaller than their number, some at a time."""
        start = next((at for at, number in enumerate(owned) if number >= self._next_partition), 0)
        turn = [*owned[start:], *owned[:start]]
        step = self._size.count
        yield from (turn[at : at + step] for at in range(0, len(turn), step))

    async def _items(self, entries: Sequence[LedgerEntry]) -> list[_Item]:
        items = []
        for at, entry in enumerate(entries, start=1):
            items.append(_Item(entry, self._rows(read_entry(entry))))
            if at % _ROWS_PER_TURN == 0:
                await asyncio.sleep(0)
        return items

    def _rows(self, settled: SettledEvent) -> Rows:
        try:
            return rows_of(settled, self._limits.bodies)
        except Exception as error:  # noqa: BLE001 - one event must not stop the service or the other events
            self._logger.error("an event could not be converted to rows", event_id=settled.event.id, error=type(error).__name__)
            LEDGER_EVENTS.labels("stripped").inc()
            return bare_rows_of(settled)

    async def _write(self, items: list[_Item]) -> set[tuple[int, str]]:
        """Write `items`, and split a batch that the database refuses. Return the names of items that were set aside."""
        try:
            await self._commit([item.rows for item in items])
        except RowRefusedError as error:
            if len(items) == 1:
                return await self._write_bare(items[0], error)
            half = len(items) // 2
            return await self._write(items[:half]) | await self._write(items[half:])
        LEDGER_EVENTS.labels("written").inc(len(items))
        return set()

    async def _write_bare(self, item: _Item, refused: RowRefusedError) -> set[tuple[int, str]]:
        """Write a refused item without the values chosen by senders. If that is refused as well, set it aside."""
        event_id = item.rows.event["id"]
        try:
            await self._commit([Rows(bare(item.rows.event))])
        except RowRefusedError as error:
            self._logger.error("the database refuses an event, which stays in Redis", event_id=event_id, error=str(error))
            LEDGER_EVENTS.labels("set_aside").inc()
            return {item.name}
        self._logger.error("the database accepted an event only without its content", event_id=event_id, error=str(refused))
        LEDGER_EVENTS.labels("stripped").inc()
        return set()

    async def _commit(self, batch: Iterable[Rows]) -> None:
        with self._breaker.guard(), LEDGER_BATCH_SECONDS.time():
            await self._timed(self._store.write(list(batch)))

    async def _timed(self, work: Coroutine[object, object, None]) -> None:
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                await work
        except TimeoutError:
            raise DatabaseUnavailableError(f"The database did not finish within {self._limits.timeout_s:g} s") from None
