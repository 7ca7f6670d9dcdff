"""The file of the spool, an SQLite database. Everything here blocks: `spool.py` calls it from one thread of its own.

A commit is on disk (WAL, synchronous=FULL) before it returns.

    events      id          rising: the order of arrival
                dedupe      UNIQUE: a webhook that is delivered again while it is in the spool is the same event
                topic, lane, event (MessagePack of `hookline_shared.event.Event`)
    unreadable  rows of `events` that could not be decoded, with the reason: they are neither drained nor deleted
    owner       prefix of the installation that the events are for, in one row
"""

import fcntl
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Final, NamedTuple

import msgspec

from hookline_shared.errors import HooklineError
from hookline_shared.event import Event
from hookline_shared.keys import DEFAULT_PREFIX

MIB: Final = 1 << 20

_SCHEMA: Final = 1
_CREATE: Final = (
    """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    dedupe TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    lane INTEGER NOT NULL,
    event BLOB NOT NULL
)""",
    """
CREATE TABLE IF NOT EXISTS unreadable (
    id INTEGER PRIMARY KEY,
    dedupe TEXT NOT NULL,
    topic TEXT NOT NULL,
    lane INTEGER NOT NULL,
    event BLOB NOT NULL,
    reason TEXT NOT NULL
)""",
    "CREATE TABLE IF NOT EXISTS owner (prefix TEXT NOT NULL)",
)
_INSERT: Final = "INSERT INTO events (dedupe, topic, lane, event) VALUES (?, ?, ?, ?) ON CONFLICT (dedupe) DO NOTHING"
_OLDEST: Final = "SELECT id, topic, CAST(event AS BLOB) FROM events WHERE id > ? ORDER BY id LIMIT ?"
_REMOVE: Final = "DELETE FROM events WHERE id = ? RETURNING lane, length(event)"
_TAKE_OUT: Final = "DELETE FROM events WHERE id = ? RETURNING id, dedupe, topic, lane, CAST(event AS BLOB)"
_SET_ASIDE: Final = "INSERT INTO unreadable (id, dedupe, topic, lane, event, reason) VALUES (?, ?, ?, ?, ?, ?)"
_LANES: Final = "SELECT lane, count(*), sum(length(event)) FROM events GROUP BY lane"
_LOCKED_S: Final = 0.1
"""Time limit for waiting while another program has the database locked; meanwhile nothing is spooled."""
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


class SpoolLane(NamedTuple):
    """The number of events of one lane, and their size in bytes."""

    lane: int
    events: int
    size: int


class SpoolFile:
    """The file at `path`, of at most `max_mb` MiB, of the installation with `prefix`.

    `fill` is the share of the limit that is in use, updated by every call.
    """

    def __init__(self, path: Path, max_mb: int, prefix: str = DEFAULT_PREFIX) -> None:
        self.path = path
        self.max_mb = max_mb
        self._prefix = prefix
        self.fill = 0.0
        self._most_pages = 0
        self._lock: IO[bytes] | None = None
        self._database: sqlite3.Connection | None = None

    def open(self) -> list[SpoolLane]:
        """Open the file, creating it if it is missing; return what is in it by lane.

        Raises:
            OSError, sqlite3.Error: if it cannot be used.

        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self.path.with_name(self.path.name + ".lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError("another ingress uses it, and each needs its own") from None
        self.path.touch(mode=0o600)
        self._database = database = sqlite3.connect(self.path, timeout=_LOCKED_S, isolation_level=None, check_same_thread=False)
        database.text_factory = partial(str, encoding="utf-8", errors="replace")  # a damaged row can be read, to be set aside
        _ensure_ours(database)
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        self._most_pages = self.max_mb * MIB // _pragma(database, "page_size")
        database.execute(f"PRAGMA max_page_count = {self._most_pages}")
        with _transaction(database):
            for table in _CREATE:
                database.execute(table)
            _claim(database, self._prefix)
            database.execute(f"PRAGMA user_version = {_SCHEMA}")
        self._measure(database)
        return [SpoolLane(*row) for row in database.execute(_LANES)]

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._lock is not None:
            self._lock.close()

    def commit(self, puts: Sequence[NewEntry]) -> list[int | Exception]:
        """Write all of `puts` in one transaction; return the size of each in bytes, 0 if it was there already.

        If that fails, each half is tried on its own, and so on, so that an event without room does not affect the others. An
        error in the place of an event is the reason why it was not written.
        """
        try:
            return list(self._insert(puts))
        except Exception as error:  # noqa: BLE001 - whatever it is, only one event may fail because of it
            if len(puts) == 1 or _is_locked(error):
                return [error] * len(puts)
        half = len(puts) // 2
        return self.commit(puts[:half]) + self.commit(puts[half:])

    def oldest(self, after: int, limit: int) -> Batch:
        """Read up to `limit` events with ids above `after`, oldest first; fewer if they are large."""
        found: list[SpooledEvent] = []
        bad: dict[int, str] = {}
        size = 0
        with closing(self._open_database.execute(_OLDEST, (after, limit))) as rows:
            for at, topic, blob in rows:
                try:
                    found.append(SpooledEvent(at, topic, msgspec.msgpack.decode(blob, type=Event)))
                except (msgspec.DecodeError, ValueError, TypeError) as error:
                    bad[at] = str(error)
                size += len(blob)
                if size >= MIB:
                    break
        return Batch(found, self._set_aside(bad) if bad else [])

    def remove(self, ids: Sequence[int]) -> list[RemovedEvent]:
        """Remove the events `ids`."""
        with _transaction(self._open_database) as database:
            removed = [RemovedEvent(*row) for at in ids for row in database.execute(_REMOVE, (at,)).fetchall()]
        self._measure(database)
        return removed

    def shrink(self) -> bool:
        """Free some disk space once no events are left; return whether there is more to free."""
        database = self._open_database
        if database.execute("SELECT 1 FROM events LIMIT 1").fetchone() is not None:
            return False
        database.executescript(f"PRAGMA incremental_vacuum({_SHRINK_PAGES})")  # `execute` would free a single page
        if _pragma(database, "freelist_count"):
            return True
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return False

    def count_unreadable(self) -> int:
        """Return the number of events that were set aside, in this and earlier runs."""
        (count,) = self._open_database.execute("SELECT count(*) FROM unreadable").fetchone()
        return int(count)

    @property
    def _open_database(self) -> sqlite3.Connection:
        if self._database is None:
            raise SpoolError("The spool is not open.")
        return self._database

    def _insert(self, puts: Sequence[NewEntry]) -> list[int]:
        rows = [(put.event.dedupe_key, put.topic, put.lane, msgspec.msgpack.encode(put.event)) for put in puts]
        with _transaction(self._open_database) as database:
            sizes = [len(row[3]) * database.execute(_INSERT, row).rowcount for row in rows]
        self._measure(database)
        return sizes

    def _set_aside(self, bad: dict[int, str]) -> list[RemovedEvent]:
        gone = []
        with _transaction(self._open_database) as database:
            for at, reason in bad.items():
                for row in database.execute(_TAKE_OUT, (at,)).fetchall():
                    database.execute(_SET_ASIDE, (*row, reason))
                    gone.append(RemovedEvent(row[3], len(row[4])))
        return gone

    def _measure(self, database: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):  # this is only a measurement: the commit has succeeded
            self.fill = (_pragma(database, "page_count") - _pragma(database, "freelist_count")) / self._most_pages


def _ensure_ours(database: sqlite3.Connection) -> None:
    version = _pragma(database, "user_version")
    if version not in (0, _SCHEMA):
        raise OSError(f"it was written by another version of Hookline (schema {version}, not {_SCHEMA})")
    if version == 0 and database.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise OSError("it is another program's database")


def _claim(database: sqlite3.Connection, prefix: str) -> None:
    """Record that the events are for `prefix`. Events for another one would be delivered to the wrong installation."""
    row = database.execute("SELECT prefix FROM owner").fetchone()
    owner = row[0] if row else DEFAULT_PREFIX  # versions before HOOKLINE_PREFIX recorded none
    if owner != prefix and database.execute("SELECT 1 FROM events LIMIT 1").fetchone():
        raise OSError(f"it has events of the installation with HOOKLINE_PREFIX={owner}, which must deliver them first")
    database.execute("DELETE FROM owner")
    database.execute("INSERT INTO owner VALUES (?)", (prefix,))


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


def _is_locked(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


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
