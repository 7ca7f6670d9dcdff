"""Events that Redis did not take, safe on this machine's disk until it does.

An SQLite file, written by one thread of its own: whatever gathers while one commit is under way is committed together in the
next, and a commit is on disk (WAL, synchronous=FULL) before anybody is told so.

    events   id          rising: the order in which they came
             dedupe      UNIQUE: a webhook that comes again while it lies here is the same event
             topic, lane, event (MessagePack of `shared.event.Event`)

An event may lie here and in Redis, if Redis' answer was lost, or if this process dies after Redis took it and before it is
removed here: it is offered again, and the dedupe key collapses the two.
"""

import asyncio
import fcntl
import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple, TypeVar
from zlib import crc32

import msgspec

from ingress.metrics import SPOOL_BYTES, SPOOL_EVENTS
from shared.errors import HooklineError
from shared.event import Event
from shared.logs import Logger

Result = TypeVar("Result")

_SCHEMA: Final = 1
_CREATE: Final = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    dedupe TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    lane INTEGER NOT NULL,
    event BLOB NOT NULL
)"""
_INSERT: Final = "INSERT INTO events (dedupe, topic, lane, event) VALUES (?, ?, ?, ?) ON CONFLICT (dedupe) DO NOTHING"
_OLDEST: Final = "SELECT id, topic, event FROM events WHERE id > ? ORDER BY id LIMIT ?"
_REMOVE: Final = "DELETE FROM events WHERE id = ? RETURNING lane, length(event)"
_LANES: Final = 1 << 16
_MIB: Final = 1 << 20


class SpoolError(HooklineError):
    """The spool cannot be used, or has no room."""


class Spooled(NamedTuple):
    """One event as it lies here; `id` rises with every one that came."""

    id: int
    topic: str
    event: Event


class _Put(NamedTuple):
    topic: str
    lane: int
    event: Event
    done: "asyncio.Future[None]"


class Spool:
    """The file at `path`, of at most `max_mb` MiB. One process has it at a time."""

    def __init__(self, path: Path, max_mb: int, logger: Logger) -> None:
        self._path = path
        self._max_mb = max_mb
        self._logger = logger
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._loop = asyncio.get_running_loop()
        self._lock: IO[bytes] | None = None
        self._database: sqlite3.Connection | None = None
        self._lanes = array("L", bytes(_LANES * array("L").itemsize))
        self._gathered: list[_Put] = []
        self._committing: asyncio.Task[None] | None = None
        self._filled = asyncio.Event()
        self.events = 0
        self.bytes = 0
        self.problem: str | None = None

    async def open(self) -> None:
        """Open the file, made if it is missing, and take note of what lies in it.

        Raises:
            SpoolError: if it cannot be used.

        """
        try:
            found = await self._in_thread(self._open)
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(
                f"The spool {self._path} cannot be used: {error}. It must be a file of Hookline's that this user may write, on "
                "a local disk. Mend that, move the file away, or choose another one with INGRESS_SPOOL_PATH."
            ) from None
        for lane, events, size in found:
            self._mark(lane, events, size)
        self._show()

    async def close(self) -> None:
        """Finish what is being written, and let go of the file."""
        while self._committing is not None:
            await asyncio.shield(self._committing)
        await self._in_thread(self._close)
        self._thread.shutdown()

    def holds(self, topic: str, key: str) -> bool:
        """Tell whether an event of `key` in `topic` lies here: then the later ones queue behind it.

        It is kept by hash, in a table of fixed size: two keys that share a place only make each other go through here.
        """
        return self.events > 0 and self._lanes[_lane(topic, key)] > 0

    def put(self, topic: str, event: Event) -> "asyncio.Future[None]":
        """Take `event`; the future ends when it is on disk, or with a `SpoolError` if it never will be.

        From now on `holds` tells of it, so events of its key that come later cannot overtake it.
        """
        lane = _lane(topic, event.key)
        done: asyncio.Future[None] = self._loop.create_future()
        self._mark(lane, 1, 0)
        self._gathered.append(_Put(topic, lane, event, done))
        if self._committing is None:
            self._committing = self._loop.create_task(self._commit_all())
        return done

    async def wait_filled(self) -> None:
        """Wait until something lies here."""
        await self._filled.wait()

    async def oldest(self, after: int, limit: int) -> list[Spooled]:
        """Give up to `limit` events that came after the one with id `after`, oldest first; fewer if they are large."""
        return await self._in_thread(lambda: self._oldest(after, limit))

    async def remove(self, ids: Sequence[int]) -> None:
        """Forget the events `ids`: Redis has them."""
        for lane, size in await self._in_thread(lambda: self._remove(ids)):
            self._mark(lane, -1, -size)
        self._show()

    async def _commit_all(self) -> None:
        while self._gathered:
            batch, self._gathered = self._gathered, []
            self._settle(batch, await self._in_thread(lambda puts=batch: self._commit(puts)))  # type: ignore[misc]
        self._committing = None

    def _settle(self, batch: Sequence[_Put], results: "Sequence[int | sqlite3.Error]") -> None:
        """Tell everybody what became of their event. A result is the event's size on disk, 0 if it lay there already."""
        failed = next((result for result in results if isinstance(result, sqlite3.Error)), None)
        self._note(failed)
        for put, result in zip(batch, results, strict=True):
            if isinstance(result, sqlite3.Error):
                self._mark(put.lane, -1, 0)
                if not put.done.done():
                    put.done.set_exception(SpoolError(f"The spool did not take an event: {result}."))
                continue
            self._mark(put.lane, 0 if result else -1, result)
            if not put.done.done():
                put.done.set_result(None)
        self._show()

    def _note(self, failed: sqlite3.Error | None) -> None:
        problem = f"{failed}; {self._path} has {self.bytes / _MIB:.1f} of {self._max_mb} MiB" if failed else None
        if problem and not self.problem:
            self._logger.error(
                "the spool takes no more events",
                error=problem,
                remedy="bring Redis back, make room on the disk, or raise INGRESS_SPOOL_MAX_MB; until then webhooks get a 503",
            )
        elif self.problem and not problem:
            self._logger.info("the spool takes events again")
        self.problem = problem

    def _mark(self, lane: int, events: int, size: int) -> None:
        self._lanes[lane] += events
        self.events += events
        self.bytes += size
        if self.events:
            self._filled.set()
        else:
            self._filled.clear()

    def _show(self) -> None:
        SPOOL_EVENTS.set(self.events)
        SPOOL_BYTES.set(self.bytes)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await self._loop.run_in_executor(self._thread, work)

    # What follows runs in the thread.

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise SpoolError("The spool is not open.")
        return self._database

    def _open(self) -> list[tuple[int, int, int]]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self._path.with_name(self._path.name + ".lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError("another ingress uses it, and each needs its own") from None
        self._path.touch(mode=0o600)
        database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._database = database
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _SCHEMA):
            raise OSError(f"it was written by another version of Hookline (schema {version}, not {_SCHEMA})")
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        page_size = database.execute("PRAGMA page_size").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {self._max_mb * _MIB // page_size}")
        database.execute(_CREATE)
        database.execute(f"PRAGMA user_version = {_SCHEMA}")
        return database.execute("SELECT lane, count(*), sum(length(event)) FROM events GROUP BY lane").fetchall()

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
        if self._lock is not None:
            self._lock.close()

    def _commit(self, batch: Sequence[_Put]) -> "list[int | sqlite3.Error]":
        """Insert all in one transaction, or, if that fails, each in its own: one that finds no room costs the others
        nothing."""
        try:
            return list(self._insert(batch))
        except sqlite3.Error as error:
            return [error] if len(batch) == 1 else [self._commit([put])[0] for put in batch]

    def _insert(self, batch: Sequence[_Put]) -> list[int]:
        rows = [(put.event.dedupe_key, put.topic, put.lane, msgspec.msgpack.encode(put.event)) for put in batch]
        with _transaction(self._connection) as database:
            return [len(row[3]) * database.execute(_INSERT, row).rowcount for row in rows]

    def _oldest(self, after: int, limit: int) -> list[Spooled]:
        found: list[Spooled] = []
        size = 0
        for at, topic, event in self._connection.execute(_OLDEST, (after, limit)):
            found.append(Spooled(at, topic, msgspec.msgpack.decode(event, type=Event)))
            size += len(event)
            if size >= _MIB:
                break
        return found

    def _remove(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        with _transaction(self._connection) as database:
            removed = [row for at in ids for row in database.execute(_REMOVE, (at,)).fetchall()]
        if database.execute("SELECT 1 FROM events LIMIT 1").fetchone() is None:
            database.execute("PRAGMA incremental_vacuum").fetchall()
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return removed


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _lane(topic: str, key: str) -> int:
    return crc32(f"{topic} {key}".encode()) & (_LANES - 1)
