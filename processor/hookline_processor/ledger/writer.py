"""Moves settled events from the ledger streams to the database, in batches.

An entry is removed from its stream after its transaction was committed. A crash in between, a lost answer or a successor that
moves the same entries means that they are written again, which changes nothing. What the database cannot take waits in Redis.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
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
from hookline_processor.ledger.yielding import give_way
from hookline_shared.breaker import Breaker, BreakerOpenError, State
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.streams.ledger import FRONT, LedgerEntry, LedgerStreams

_IDLE_S: Final = 0.25
"""How long it waits for more: at a steady trickle, so much goes into one transaction."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_BYTES: Final = 8 * 1024 * 1024
"""About how much is held in memory at once: bodies may have 1 MiB each."""
_FIRST: Final = 32
"""How many are read at first, until it is known how large they are."""
_BUILT_AT_ONCE: Final = 50


class WriterLimits(NamedTuple):
    """How a writer works: events in a transaction, seconds for one, and what is kept of content."""

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
    """Moves what lies in the ledger streams of the partitions that `owned` gives, one batch after the other."""

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
        self._behind: dict[int, str] = {}
        """By partition, the last entry that was set aside; those before it are set aside, too."""
        self._most = min(limits.batch, _FIRST)
        self._full = 0
        """How many partitions had all that was asked of them; 0 while none had, so that any may have as much next."""
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to move."""
        self._job = await supervisor.spawn("ledger writer", self._run())

    async def stop(self) -> None:
        """Move nothing more; what was begun is done anew by the next."""
        if self._job is not None:
            await self._job.close()

    async def flush(self, partitions: Collection[int], timeout_s: float) -> None:
        """Move what is left in `partitions`, for at most `timeout_s` seconds, if the database is well."""
        self._owned = lambda: partitions
        with suppress(TimeoutError, DatabaseUnavailableError, BrokerUnavailableError, BreakerOpenError):
            async with asyncio.timeout(timeout_s):
                while await self.pass_once():
                    pass

    def warnings(self) -> list[str]:
        """Say what keeps events from the database."""
        found = [f"{self._problem}. Events are still handled; their history waits in Redis"] if self._problem else []
        if self._behind:
            found.append("the database refuses some events because of their content; they stay in Redis, see the log")
        return found

    async def pass_once(self) -> int:
        """Move one batch; return how many events it had.

        Raises:
            DatabaseUnavailableError: if the database cannot be used now.
            BreakerOpenError: if it was not even tried.
            BrokerUnavailableError: if Redis did not answer. What was written stays to be written again.

        """
        await self._verify()
        began = self._clock.monotonic()
        entries = await self._read()
        if not entries:
            return 0
        items = await self._items(entries)
        refused = await self._write(items)
        await self._streams.remove(item.entry for item in items if item.name not in refused)
        # Not before: what is behind them is read no more, so nothing that is to be removed may be left there.
        self._behind |= {item.entry.partition: item.entry.id for item in items if item.name in refused}
        await give_way(self._clock.monotonic() - began, self._clock)
        return len(items)

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(await self._step())

    async def _step(self) -> float:
        """Move one batch; return the seconds to wait until the next."""
        try:
            await self.pass_once()
        except BreakerOpenError:
            return max(0.01, self._breaker.seconds_to_probe())
        except DatabaseUnavailableError as error:
            return self._note(error)
        except BrokerUnavailableError:
            return _LONGEST_PAUSE_S  # the readiness check says so already
        if self._problem:
            self._logger.info("the ledger's database works again")
        self._problem, self._failures = None, 0
        return 0 if self._full else _IDLE_S

    def _note(self, error: DatabaseUnavailableError) -> float:
        if self._problem is None or (error.waits and str(error) != self._problem):
            self._logger.warning("the ledger is waiting for its database", error=str(error))
        self._problem = str(error)
        self._failures += 1
        self._verified = False  # whatever comes back may have other tables
        self._most = max(1, self._most // 4)  # half of what was read: else what took too long would take too long again
        return min(_FIRST_PAUSE_S * 2.0 ** min(self._failures, 10), _LONGEST_PAUSE_S) * (1 - random() / 2)  # noqa: S311

    async def _verify(self) -> None:
        """Make sure that the database is there and has our tables: at first, and as the probe of the breaker."""
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
        self._behind = {number: entry for number, entry in self._behind.items() if number in owned}
        positions = {number: self._behind.get(number, FRONT) for number in owned}
        asked = max(1, self._most // (self._full or len(positions) or 1))
        entries = await self._streams.read(positions, asked)
        self._full = sum(found >= asked for found in Counter(entry.partition for entry in entries).values())
        size = sum(len(field) for entry in entries for field in entry.fields)
        self._most = max(1, self._most * _BYTES // size) if size > _BYTES else min(2 * self._most, self._limits.batch)
        return entries

    async def _items(self, entries: Sequence[LedgerEntry]) -> list[_Item]:
        items = []
        for at, entry in enumerate(entries, start=1):
            items.append(_Item(entry, self._rows(read_entry(entry))))
            if at % _BUILT_AT_ONCE == 0:
                await asyncio.sleep(0)
        return items

    def _rows(self, settled: SettledEvent) -> Rows:
        try:
            return rows_of(settled, self._limits.bodies)
        except Exception as error:  # noqa: BLE001 - whatever it is, neither the service nor the others must suffer from one event
            self._logger.error("an event could not be converted to rows", event_id=settled.event.id, error=type(error).__name__)
            LEDGER_EVENTS.labels("stripped").inc()
            return bare_rows_of(settled)

    async def _write(self, items: list[_Item]) -> set[tuple[int, str]]:
        """Write `items`, and those that the database refuses one by one; return those that it does not take at all."""
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
        """Write the one that was refused without what somebody else chose; if that is refused, too, set it aside."""
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
