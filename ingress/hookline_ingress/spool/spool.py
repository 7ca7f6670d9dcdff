"""Events that Redis did not take, safe on this machine's disk until it does.

One thread writes the file: whatever gathers while one commit is under way is committed together in the next, and nobody is told
so before it is on disk.

An event may lie here and in Redis, if Redis' answer was lost, or if this process dies after Redis took it and before it is
removed here: it is offered again, and the dedupe key collapses the two.
"""

import asyncio
import sqlite3
from array import array
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from zlib import crc32

from hookline_ingress.metrics import SPOOL_BYTES, SPOOL_EVENTS, SPOOL_FILL
from hookline_ingress.spool.database import MIB, NewEntry, RemovedEvent, SpooledEvent, SpoolError, SpoolFile
from hookline_shared.clock import Clock
from hookline_shared.event import Event
from hookline_shared.keys import DEFAULT_PREFIX
from hookline_shared.observability.logs import Logger

__all__ = ["Spool", "SpoolError", "SpooledEvent"]

Result = TypeVar("Result")

_LANES: Final = 1 << 16
_MOST_UNWRITTEN: Final = 64 * MIB
"""Bytes that may wait for the disk. One that hangs must not fill the memory, since those who wait give up and others come."""
_RETRY_S: Final = 5.0
_OVERHEAD: Final = 1024
"""Bytes that an event takes in memory besides its body, roughly."""


class _Waiting(NamedTuple):
    put: NewEntry
    size: int
    done: "asyncio.Future[None]"


class Spool:
    """The file at `path`, of at most `max_mb` MiB, of the installation with `prefix`. One process has it at a time.

    `events` lie here or are on their way, `bytes` counts those that lie here, `unreadable` were set aside. `problem` says why
    the latest were not taken; it is None while all is well.
    """

    def __init__(self, path: Path, max_mb: int, clock: Clock, logger: Logger, prefix: str = DEFAULT_PREFIX) -> None:
        self._file = SpoolFile(path, max_mb, prefix)
        self._clock = clock
        self._logger = logger
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._loop = asyncio.get_running_loop()
        self._lanes = array("L", bytes(_LANES * array("L").itemsize))
        self._gathered: list[_Waiting] = []
        self._unwritten = 0
        self._committing: asyncio.Task[None] | None = None
        self._filled = asyncio.Event()
        self._closed = False
        self._failed_at = 0.0
        self.events = 0
        self.bytes = 0
        self.unreadable = 0
        self.problem: str | None = None

    @property
    def fill(self) -> float:
        """The share of its room that is in use, from 0 to 1."""
        return self._file.fill

    @property
    def accepting(self) -> bool:
        """Whether the next event may be taken, for all that is known. After a while without a failure it is worth a try again:

        there may be room by now, or only a large event found none, and whoever sends nobody here would never learn of it.
        """
        return self.problem is None or self._clock.monotonic() - self._failed_at >= _RETRY_S

    async def open(self) -> None:
        """Open the file, made if it is missing, and take note of what lies in it.

        Raises:
            SpoolError: if it cannot be used.

        """
        try:
            found = await self._in_thread(self._file.open)
        except SpoolError as error:
            raise SpoolError(
                f"{error} It must be a spool of Hookline on a local disk that this user may write. Fix that, move it away, "
                "or choose another one with INGRESS_SPOOL_PATH."
            ) from None
        for lane, events, size in found:
            self._mark(lane, events, size)
        self.unreadable = await self._in_thread(self._file.count_unreadable)
        self._show()

    async def close(self) -> None:
        """Finish what is being written, and let go of the file; once is enough."""
        if self._closed:
            return
        self._closed = True
        while self._committing is not None:
            await asyncio.shield(self._committing)
        await self._in_thread(self._file.close)
        self._thread.shutdown()

    def holds(self, topic: str, key: str) -> bool:
        """Whether an event of `key` in `topic` lies here: then the later ones queue behind it.

        It is kept by hash, in a table of fixed size: two keys that share a place only make each other go through here.
        """
        return self.events > 0 and self._lanes[_lane(topic, key)] > 0

    def put(self, topic: str, event: Event) -> "asyncio.Future[None]":
        """Take `event`; the future ends when it is on disk, or with a `SpoolError` if it never will be.

        From now on `holds` tells of it, so events of its key that come later cannot overtake it.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        size = len(event.body) + _OVERHEAD
        if self._unwritten + size > _MOST_UNWRITTEN:
            error = SpoolError("The spool did not accept an event: the disk is too slow for the load.")
            self._note(error)
            done.set_exception(error)
            return done
        put = NewEntry(topic, _lane(topic, event.key), event)
        self._mark(put.lane, 1, 0)
        self._unwritten += size
        self._gathered.append(_Waiting(put, size, done))
        if self._committing is None:
            self._committing = self._loop.create_task(self._commit_all())
        return done

    async def wait_filled(self) -> None:
        """Wait until something lies here."""
        await self._filled.wait()

    async def oldest(self, after: int, limit: int) -> list[SpooledEvent]:
        """Give up to `limit` events that came after the one with id `after`, oldest first; fewer if they are large.

        Raises:
            SpoolError: if they cannot be read.

        """
        events, unreadable = await self._in_thread(lambda: self._file.oldest(after, limit))
        if unreadable:
            self._logger.error(
                "unreadable events in the spool were set aside",
                events=len(unreadable),
                remedy=f"they are kept with the reason in table `unreadable` of {self._file.path}; report this",
            )
            self.unreadable += len(unreadable)
            self._forget(unreadable)
        return events

    async def remove(self, ids: Sequence[int]) -> None:
        """Forget the events `ids`: Redis has them.

        Raises:
            SpoolError: if the file cannot be written; then they all stay.

        """
        if not ids:
            return
        self._forget(await self._in_thread(lambda: self._file.remove(ids)))
        self._note(None)  # there is room again
        if not self.events:
            await self._shrink()

    async def _shrink(self) -> None:
        """Give the room back, a bit at a time, so that what comes meanwhile need not wait for it."""
        with suppress(SpoolError):  # next time, then
            while await self._in_thread(self._file.shrink):
                pass

    async def _commit_all(self) -> None:
        while self._gathered:
            batch, self._gathered = self._gathered, []
            self._settle(batch, await self._commit([waiting.put for waiting in batch]))
        self._committing = None

    async def _commit(self, puts: Sequence[NewEntry]) -> Sequence[int | Exception]:
        try:
            return await self._in_thread(lambda: self._file.commit(puts))
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may be left waiting for an answer
            return [error] * len(puts)

    def _settle(self, batch: Sequence[_Waiting], results: Sequence[int | Exception]) -> None:
        """Tell everybody what became of their event. A result is the event's size on disk, 0 if it lay there already."""
        self._note(next((result for result in results if isinstance(result, Exception)), None))
        for (put, size, done), result in zip(batch, results, strict=True):
            self._unwritten -= size
            if isinstance(result, Exception):
                self._mark(put.lane, -1, 0)
                if not done.done():
                    done.set_exception(SpoolError(f"The spool did not accept an event: {result}."))
                continue
            self._mark(put.lane, 0 if result else -1, result)
            if not done.done():
                done.set_result(None)
        self._show()

    def _note(self, failed: Exception | None) -> None:
        problem = f"{failed}; {self._file.path} uses {self.fill:.0%} of {self._file.max_mb} MiB" if failed else None
        if problem and not self.problem:
            self._logger.error(
                "the spool accepts no more events",
                error=problem,
                remedy="restore Redis, free disk space, or raise INGRESS_SPOOL_MAX_MB; until then webhooks get a 503",
            )
        elif self.problem and not problem:
            self._logger.info("the spool accepts events again")
        if problem:
            self._failed_at = self._clock.monotonic()
        self.problem = problem

    def _forget(self, gone: Iterable[RemovedEvent]) -> None:
        for lane, size in gone:
            self._mark(lane, -1, -size)
        self._show()

    def _mark(self, lane: int, events: int, size: int) -> None:
        self._lanes[lane] += events
        self.events += events
        self.bytes += size
        if self.bytes:
            self._filled.set()
        else:
            self._filled.clear()

    def _show(self) -> None:
        SPOOL_EVENTS.set(self.events)
        SPOOL_BYTES.set(self.bytes)
        SPOOL_FILL.set(self.fill)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        try:
            return await self._loop.run_in_executor(self._thread, work)
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"The spool {self._file.path} cannot be used: {error}.") from error


def _lane(topic: str, key: str) -> int:
    return crc32(f"{topic} {key}".encode()) & (_LANES - 1)
