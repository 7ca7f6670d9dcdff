"""Opening the SQLite database of the spool: its tables, whose it is, and what to do where the disk takes no writes.

    events      id          rising: the order of arrival
                dedupe      UNIQUE: a webhook that is delivered again while it is in the spool is the same event
                topic, lane, event (MessagePack of `hookline_shared.event.Event`)
    unreadable  rows of `events` that could not be decoded, or whose signature was used for another event, with the reason: they
                are neither drained nor deleted
    owner       prefix of the installation that the events are for, in one row

and in memory, for this connection only:

    done_with   id, reason: rows of `events` that are not offered again. Without a reason, Redis has them and they are to be
                deleted; with one, they could not be decoded and are to be moved to `unreadable`. Neither needs room on the
                disk until it is done, so a disk that is full or read-only delays only the deletion.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Final

from hookline_shared.redis_keys import DEFAULT_PREFIX

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
_CREATE_IN_MEMORY: Final = "CREATE TEMP TABLE done_with (id INTEGER PRIMARY KEY, reason TEXT)"
_LOCKED_S: Final = 0.1
"""Time limit for waiting while another program has the database locked; meanwhile nothing is spooled."""


def lock(path: Path) -> IO[bytes]:
    """Open the file that is locked in place of the spool at `path`, also where it cannot be written."""
    name = path.with_name(path.name + ".lock")
    try:
        return os.fdopen(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), "rb")
    except OSError:
        return name.open("rb")


def connect(path: Path) -> sqlite3.Connection:
    """Open the database at `path`, creating it if it is missing.

    The index of its log is shared memory, a file beside it. Where the disk has no room for that file, the index is kept in this
    process: then other programs cannot read the database meanwhile.
    """
    if not path.exists():
        remove_companions(path)
        path.touch(mode=0o600)
    try:
        return _connect(path)
    except sqlite3.OperationalError as error:
        if is_locked(error):
            raise
        return _connect(path, "PRAGMA locking_mode = EXCLUSIVE")


def remove_companions(path: Path) -> None:
    """Remove the log of a database that does not exist any more: SQLite must not take it for the log of the next one."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def remove_file(path: Path) -> None:
    """Remove the database at `path`, but not its log, and do not return before the disk knows."""
    path.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def cause_of(failed: Exception) -> str:
    """Return what the system or SQLite says, without the path."""
    cause = failed.__cause__ or failed
    return getattr(cause, "strerror", None) or str(cause)


def is_locked(error: Exception) -> bool:
    """Whether another program has the database locked."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def _connect(path: Path, *first: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_LOCKED_S, isolation_level=None, check_same_thread=False)
    try:
        database.text_factory = partial(str, encoding="utf-8", errors="replace")  # a damaged row can be read, to be set aside
        for statement in first:
            database.execute(statement)
        _ensure_ours(database)
        database.execute("PRAGMA temp_store = MEMORY")
        database.execute(_CREATE_IN_MEMORY)
    except BaseException:
        database.close()
        raise
    return database


def prepare(database: sqlite3.Connection, prefix: str, most_bytes: int) -> sqlite3.Error | None:
    """Make the tables, set the limit of the file, and record that the events are for `prefix`.

    Return the error if none of it can be written to a spool that exists already: its events can be delivered all the same.

    Raises:
        OSError, sqlite3.Error: if the spool cannot be used.

    """
    _ensure_owner(database, prefix)
    try:
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute(f"PRAGMA max_page_count = {most_bytes // pragma(database, 'page_size')}")
        _create(database, prefix)
    except sqlite3.Error as error:
        if pragma(database, "user_version") != _SCHEMA:
            raise
        return error
    return None


def _ensure_ours(database: sqlite3.Connection) -> None:
    version = pragma(database, "user_version")
    if version not in (0, _SCHEMA):
        raise OSError(f"it was written by another version of Hookline (schema {version}, not {_SCHEMA})")
    if version == 0 and database.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise OSError("it is another program's database")


def _ensure_owner(database: sqlite3.Connection, prefix: str) -> None:
    """Raise unless the events are for `prefix`. Events for another one would be delivered to the wrong installation."""
    if pragma(database, "user_version") == 0:
        return
    row = database.execute("SELECT prefix FROM owner").fetchone()
    owner = row[0] if row else DEFAULT_PREFIX  # versions before HOOKLINE_PREFIX recorded none
    if owner != prefix and database.execute("SELECT 1 FROM events LIMIT 1").fetchone():
        raise OSError(f"it has events of the installation with HOOKLINE_PREFIX={owner}, which must deliver them first")


def _create(database: sqlite3.Connection, prefix: str) -> None:
    """Make what is missing. The owner is written always, which shows whether the disk takes writes."""
    with transaction(database):
        for table in _CREATE:
            database.execute(table)
        database.execute("DELETE FROM owner")
        database.execute("INSERT INTO owner VALUES (?)", (prefix,))
        database.execute(f"PRAGMA user_version = {_SCHEMA}")


def pragma(database: sqlite3.Connection, name: str) -> int:
    """Return a number that SQLite knows."""
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Commit what is done inside, or nothing if it fails."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            with suppress(sqlite3.Error):  # the first error is the one that tells
                database.execute("ROLLBACK")
        raise
