"""The file of the spool, an SQLite database. Everything here blocks: `spool.py` calls it from one thread of its own.

A commit is on disk (WAL, synchronous=FULL) before it returns. `schema.py` has the tables.

    stored     the event's row is on disk; it is offered to Redis until Redis has it
    delivered  Redis has it. This is noted in memory, and needs no room on the disk; from now on it is not offered again
    removed    the row is deleted. SQLite needs room for that, so on a full disk it comes later: once there is room, or at once
               by a new file in place of this one if all of its events are delivered

If the process dies while events are delivered and not removed, they are offered again, and are duplicates.
"""

import fcntl
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Final, NamedTuple

import msgspec

from hookline_ingress.spool.rows import BYTES, MIB, SpoolLane, lanes, rows_to_remove
from hookline_ingress.spool.schema import connect, is_locked, lock, pragma, prepare, remove_companions, remove_file, transaction
from hookline_shared.errors import HooklineError
from hookline_shared.event import Event
from hookline_shared.redis_keys import DEFAULT_PREFIX

_INSERT: Final = "INSERT INTO events (dedupe, topic, lane, event) VALUES (?, ?, ?, ?) ON CONFLICT (dedupe) DO NOTHING"
_OLDEST: Final = """
SELECT id, topic, CAST(event AS BLOB) FROM events WHERE id > ? AND id NOT IN (SELECT id FROM done_with) ORDER BY id LIMIT ?"""
_DELIVER: Final = "INSERT INTO done_with SELECT id, NULL FROM events WHERE id = ? ON CONFLICT DO NOTHING"
_SIZE: Final = f"SELECT lane, {BYTES} FROM events WHERE id = ? AND id NOT IN (SELECT id FROM done_with)"  # noqa: S608 - ours
_SKIP: Final = "INSERT INTO done_with VALUES (?, ?)"
_REMOVE: Final = "DELETE FROM events WHERE id = ?"
_SET_ASIDE: Final = (
    "INSERT OR REPLACE INTO unreadable SELECT id, dedupe, topic, lane, CAST(event AS BLOB), ? FROM events WHERE id = ?"
)
_NOTHING_LEFT: Final = """
SELECT NOT EXISTS (SELECT 1 FROM events WHERE id NOT IN (SELECT id FROM done_with WHERE reason IS NULL))
    AND NOT EXISTS (SELECT 1 FROM unreadable)"""
_SHRINK_PAGES: Final = 2048
"""Pages removed from the end of the file at once: this takes some 50 ms, in which nothing is spooled."""


class SpoolError(HooklineError):
    """The spool cannot be used, or has no room."""


class NewEntry(NamedTuple):
    """An event to be written; `lane` is a hash of its topic and key."""

    topic: str
    lane: int
    event: Event


class SpooledEvent(NamedTuple):
    """One event in the spool; `id` rises with each event."""

    id: int
    topic: str
    event: Event


class RemovedEvent(NamedTuple):
    """An event that was removed; `size` is in bytes."""

    lane: int
    size: int


class Batch(NamedTuple):
    """The events that were read, and those that were set aside because they could not be decoded."""

    events: list[SpooledEvent]
    unreadable: list[RemovedEvent]


class SpoolFile:
    """The file at `path`, of at most `max_mb` MiB, of the installation with `prefix`.

    `fill` is the share of the limit that is in use, updated by every call. `obstacle` is the reason why the file could not be
    written when it was opened, None if it could.
    """

    def __init__(self, path: Path, max_mb: int, prefix: str = DEFAULT_PREFIX) -> None:
        self.path = path
        self.max_mb = max_mb
        self._prefix = prefix
        self.fill = 0.0
        self.obstacle: sqlite3.Error | None = None
        self._lock: IO[bytes] | None = None
        self._database: sqlite3.Connection | None = None

    def open(self) -> list[SpoolLane]:
        """Open the file, creating it if it is missing; return what is in it by lane.

        Raises:
            OSError, sqlite3.Error: if it cannot be used.

        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = lock(self.path)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError("another ingress uses it, and each needs its own") from None
        database = self._connect()
        self._measure(database)
        return lanes(database)

    def close(self) -> None:
        """Close the file."""
        self._disconnect()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def commit(self, puts: Sequence[NewEntry]) -> list[int | Exception]:
        """Write all of `puts` in one transaction; return the size of each in bytes, 0 if it was there already.

        If that fails, each half is tried on its own, and so on, so that an event without room does not affect the others. An
        error in the place of an event is the reason why it was not written.
        """
        try:
            return list(self._insert(puts))
        except Exception as error:  # noqa: BLE001 - whatever it is, only one event may fail because of it
            if len(puts) == 1 or is_locked(error) or self._database is None:
                return [error] * len(puts)
        half = len(puts) // 2
        return self.commit(puts[:half]) + self.commit(puts[half:])

    def oldest(self, after: int, limit: int) -> Batch:
        """Read up to `limit` events with ids above `after`, oldest first; fewer if they are large.

        Where the disk cannot be read, those before that place are returned. At that place itself it is an error.
        """
        found: list[SpooledEvent] = []
        bad: dict[int, str] = {}
        try:
            for at, topic, blob in self._rows(after, limit):
                try:
                    found.append(SpooledEvent(at, topic, msgspec.msgpack.decode(blob, type=Event)))
                except (msgspec.DecodeError, ValueError, TypeError) as error:
                    bad[at] = str(error)
        except sqlite3.Error:
            if not found and not bad:
                raise
        return Batch(found, self.set_aside(bad) if bad else [])

    def set_aside(self, reasons: Mapping[int, str]) -> list[RemovedEvent]:
        """Note in memory that these rows are not to be delivered. They are moved to `unreadable` with the next removal."""
        database = self._open_database
        skipped = [RemovedEvent(*row) for at in reasons for row in database.execute(_SIZE, (at,)).fetchall()]
        database.executemany(_SKIP, reasons.items())
        return skipped

    def deliver(self, ids: Sequence[int]) -> list[RemovedEvent]:
        """Note in memory that Redis has the events `ids`; return those that were not noted before."""
        database = self._open_database
        delivered = [RemovedEvent(*row) for at in ids for row in database.execute(_SIZE, (at,)).fetchall()]
        database.executemany(_DELIVER, [(at,) for at in ids])
        return delivered

    def remove(self) -> bool:
        """Remove some of the rows that are done with; return whether there are more.

        Raises:
            OSError, sqlite3.Error: if the file cannot be written, and has rows that are needed.

        """
        database = self._open_database
        rows = rows_to_remove(database)
        try:
            with transaction(database):
                for at, reason in rows:
                    if reason is not None:
                        database.execute(_SET_ASIDE, (reason, at))
                    database.execute(_REMOVE, (at,))
        except sqlite3.Error as error:
            if is_locked(error) or not rows or not database.execute(_NOTHING_LEFT).fetchone()[0]:
                raise
            self._start_again()
            return False
        database.executemany("DELETE FROM done_with WHERE id = ?", [row[:1] for row in rows])
        self._measure(database)
        return self.count_done_with() > 0

    def probe(self, size: int) -> None:
        """Write as much as an event of `size` bytes takes, and remove it again.

        Raises:
            OSError, sqlite3.Error: if there is no room for it.

        """
        with transaction(self._open_database) as database:
            database.execute(_INSERT, ("", "", 0, bytes(size)))
            database.execute("DELETE FROM events WHERE dedupe = ''")

    def count_done_with(self) -> int:
        """Return the number of rows that are still to be removed."""
        (count,) = self._open_database.execute("SELECT count(*) FROM done_with").fetchone()
        return int(count)

    def shrink(self) -> bool:
        """Free some disk space once no events are left; return whether there is more to free."""
        database = self._open_database
        if database.execute("SELECT 1 FROM events LIMIT 1").fetchone() is not None:
            return False
        database.executescript(f"PRAGMA incremental_vacuum({_SHRINK_PAGES})")  # `execute` would free a single page
        if pragma(database, "freelist_count"):
            return True
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return False

    def count_unreadable(self) -> int:
        """Return the number of events that were set aside, in this and earlier runs."""
        (count,) = self._open_database.execute("SELECT count(*) FROM unreadable").fetchone()
        return int(count)

    @property
    def _open_database(self) -> sqlite3.Connection:
        if self._lock is None:
            raise SpoolError("The spool is not open.")
        return self._database or self._connect()

    def _connect(self) -> sqlite3.Connection:
        database = connect(self.path)
        try:
            self.obstacle = prepare(database, self._prefix, self.max_mb * MIB)
        except BaseException:
            database.close()
            raise
        self._database = database
        return database

    def _disconnect(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _start_again(self) -> None:
        """Replace the file by an empty one, which frees the disk without needing any of it.

        If the process dies in between, the next one finds no file, and removes the log that belonged to it.
        """
        remove_file(self.path)  # first: where this fails nothing is changed, and without its log the file would not be whole
        with suppress(sqlite3.Error):
            self._disconnect()
        remove_companions(self.path)
        self._measure(self._connect())

    def _insert(self, puts: Sequence[NewEntry]) -> list[int]:
        rows = [(put.event.dedupe_key, put.topic, put.lane, msgspec.msgpack.encode(put.event)) for put in puts]
        with transaction(self._open_database) as database:
            sizes = [len(row[3]) * database.execute(_INSERT, row).rowcount for row in rows]
        self._measure(database)
        return sizes

    def _rows(self, after: int, limit: int) -> Iterator[tuple[int, str, bytes]]:
        size = 0
        with closing(self._open_database.execute(_OLDEST, (after, limit))) as rows:
            for row in rows:
                yield row
                size += len(row[2])
                if size >= MIB:
                    break

    def _measure(self, database: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):  # this is only a measurement: the commit has succeeded
            used = (pragma(database, "page_count") - pragma(database, "freelist_count")) * pragma(database, "page_size")
            self.fill = used / (self.max_mb * MIB)
