"""The spool: events that Redis did not accept, on this machine's disk until it does.

One thread writes the file. Events that gather during a commit are committed together in the next one, and no future is done
before its event is on disk.

An event may be here and in Redis: if the answer of Redis was lost, or if this process dies after Redis accepted the event and
before it is removed here. It is then sent again, and the dedupe key prevents a second copy.

Draining needs no room on the disk. An event that Redis has is delivered: it no longer counts, is not sent again and nothing
queues behind it, whether its row can be deleted now or only later.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from hookline_ingress.metrics import SPOOL_BYTES, SPOOL_EVENTS, SPOOL_FILL, SPOOL_READ_ERRORS, SPOOL_REFUSING
from hookline_ingress.spool.database import NewEntry, RemovedEvent, SpooledEvent, SpoolError, SpoolFile
from hookline_ingress.spool.lane_counts import LaneCounts, lane_of
from hookline_ingress.spool.rows import MIB
from hookline_ingress.spool.schema import cause_of
from hookline_shared.clock import Clock
from hookline_shared.event import Event
from hookline_shared.observability.logs import Logger
from hookline_shared.redis_keys import DEFAULT_PREFIX

__all__ = ["Spool", "SpoolError", "SpooledEvent"]

Result = TypeVar("Result")

_MOST_UNWRITTEN: Final = 64 * MIB
"""Bytes that may wait for the disk. A disk that hangs must not fill the memory: webhooks keep coming."""
_LEAST_PROBE: Final = 4096
_LARGEST_PROBE: Final = 64 * 1024
"""Bytes written to find out whether the disk takes events again: as many as the last one had that it refused, within limits. A
larger one may never find room, and the others do."""
_COMMIT_BYTES: Final = 8 * MIB
_RETRY_S: Final = 5.0
_OVERHEAD: Final = 1024
"""Approximate size of an event in memory without its body, in bytes."""


class _Waiting(NamedTuple):
    put: NewEntry
    size: int
    done: "asyncio.Future[None]"


class Spool:
    """The file at `path`, of at most `max_mb` MiB, of the installation with `prefix`. Only one process can have it open.

    `events` counts the events in the spool and those being written, `bytes` the size of those in the spool, `unreadable` the
    events that were set aside, `unremoved` those that Redis has and that cannot be deleted yet. `problem` is the reason why the
    file could not be written the last time, and `cause` its short form; both are None if it could.
    """

    def __init__(self, path: Path, max_mb: int, clock: Clock, logger: Logger, prefix: str = DEFAULT_PREFIX) -> None:
        self._file = SpoolFile(path, max_mb, prefix)
        self._clock = clock
        self._logger = logger
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._loop = asyncio.get_running_loop()
        self._lanes = LaneCounts()
        self._gathered: list[_Waiting] = []
        self._unwritten = 0
        self._committing: asyncio.Task[None] | None = None
        self._filled = asyncio.Event()
        self._closed = False
        self._failed_at = 0.0
        self._refused = _LEAST_PROBE
        self.events = 0
        self.bytes = 0
        self.unreadable = 0
        self.unremoved = 0
        self.problem: str | None = None
        self.cause: str | None = None

    @property
    def fill(self) -> float:
        """The share of its room that is in use, from 0 to 1."""
        return self._file.fill

    @property
    def accepting(self) -> bool:
        """Whether the next event may be accepted: after a success, or some seconds after a failure.

        By then there may be room, or only a large event found none; without another attempt that would never be known.
        """
        return self.problem is None or self._clock.monotonic() - self._failed_at >= _RETRY_S

    async def open(self) -> None:
        """Open the file, creating it if it is missing, and count what is in it.

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
        self._note(self._file.obstacle)
        self._show()

    async def close(self) -> None:
        """Finish the commit in progress, and close the file. Does nothing the second time."""
        if self._closed:
            return
        self._closed = True
        while self._committing is not None:
            await asyncio.shield(self._committing)
        await self._in_thread(self._file.close)
        self._thread.shutdown()

    def holds(self, topic: str, key: str) -> bool:
        """Whether the spool has an event of `key` in `topic`; later events of the key then queue behind it.

        Keys are hashed into a table of fixed size. If two keys share a slot, both go through the spool; that is harmless.
        """
        return self.events > 0 and self._lanes[lane_of(topic, key)] > 0

    def put(self, topic: str, event: Event) -> "asyncio.Future[None]":
        """Write `event`; the future is done once it is on disk, or fails with a `SpoolError`.

        From now on `holds` is true for its key, so that later events cannot overtake it.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        size = len(event.body) + _OVERHEAD
        if self._unwritten + size > _MOST_UNWRITTEN:
            error = SpoolError("The spool did not accept an event: the disk is too slow for the load.")
            self._note(error)
            done.set_exception(error)
            return done
        put = NewEntry(topic, lane_of(topic, event.key), event)
        self._mark(put.lane, 1, 0)
        self._unwritten += size
        self._gathered.append(_Waiting(put, size, done))
        if self._committing is None:
            self._committing = self._loop.create_task(self._commit_all())
        return done

    async def wait_filled(self) -> None:
        """Wait until the spool has an event, or something to `tidy`."""
        await self._filled.wait()

    async def oldest(self, after: int, limit: int) -> list[SpooledEvent]:
        """Return up to `limit` events with ids above `after`, oldest first; fewer if they are large.

        Raises:
            SpoolError: if they cannot be read.

        """
        try:
            events, unreadable = await self._in_thread(lambda: self._file.oldest(after, limit))
        except SpoolError:
            SPOOL_READ_ERRORS.inc()
            raise
        self._note_set_aside("unreadable events in the spool were set aside", unreadable)
        return events

    def _note_set_aside(self, what: str, gone: Sequence[RemovedEvent]) -> None:
        if gone:
            remedy = f"they are kept with the reason in table `unreadable` of {self._file.path}; report this"
            self._logger.error(what, events=len(gone), remedy=remedy)
            self.unreadable += len(gone)
            self.unremoved += len(gone)
            self._forget(gone)

    async def remove(self, ids: Sequence[int]) -> None:
        """Remove the events `ids`, which Redis has now. If the disk does not allow it, their rows stay until `tidy` succeeds.

        Raises:
            SpoolError: if the file cannot even be read; then they are all offered again.

        """
        if not ids:
            return
        self._forget(await self._in_thread(lambda: self._file.deliver(ids)))
        self.unremoved += len(ids)
        await self.tidy()

    async def tidy(self) -> None:
        """Delete the rows of events that Redis has. If there are none, try whether the disk takes events again."""
        if not (self.unremoved or self.problem):
            return
        try:
            await (self._remove_rows() if self.unremoved else self._in_thread(lambda: self._file.probe(self._refused)))
        except SpoolError as error:
            self._note(error)
        else:
            self._note(None)  # there is room again

    async def _remove_rows(self) -> None:
        try:
            while await self._in_thread(self._file.remove):
                pass
        finally:
            with suppress(SpoolError):
                self.unremoved = await self._in_thread(self._file.count_done_with)
        if not self.events:
            await self._shrink()

    async def _shrink(self) -> None:
        """Shrink the file step by step, so that commits do not have to wait long."""
        with suppress(SpoolError):  # it is tried again after the next removal
            while await self._in_thread(self._file.shrink):
                pass

    async def _commit_all(self) -> None:
        while self._gathered:
            batch = self._take_batch()
            self._settle(batch, await self._commit([waiting.put for waiting in batch]))
        self._committing = None

    def _take_batch(self) -> list[_Waiting]:
        """Take events for one commit: a larger one would let its first event wait for the disk longer than it may."""
        size, length = 0, 0
        while length < len(self._gathered) and size < _COMMIT_BYTES:
            size += self._gathered[length].size
            length += 1
        batch, self._gathered = self._gathered[:length], self._gathered[length:]
        return batch

    async def _commit(self, puts: Sequence[NewEntry]) -> Sequence[int | Exception]:
        try:
            return await self._in_thread(lambda: self._file.commit(puts))
        except Exception as error:  # noqa: BLE001 - whatever it is, every future must be done
            return [error] * len(puts)

    def _settle(self, batch: Sequence[_Waiting], results: Sequence[int | Exception]) -> None:
        """Complete the futures of `batch`. A result is the size of the event on disk, 0 if it was there already."""
        self._note(next((result for result in results if isinstance(result, Exception)), None))
        refused = (len(one.put.event.body) for one, result in zip(batch, results, strict=True) if isinstance(result, Exception))
        self._refused = min(_LARGEST_PROBE, max(_LEAST_PROBE, *refused, 0))
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
        self.problem, self.cause = problem, cause_of(failed) if failed else None
        SPOOL_REFUSING.set(failed is not None)
        self._update_filled()

    def _forget(self, gone: Iterable[RemovedEvent]) -> None:
        for lane, size in gone:
            self._mark(lane, -1, -size)
        self._show()

    def _mark(self, lane: int, events: int, size: int) -> None:
        self._lanes.add(lane, events)
        self.events += events
        self.bytes += size
        self._update_filled()

    def _update_filled(self) -> None:
        if self.bytes or self.problem or self.unremoved:
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
