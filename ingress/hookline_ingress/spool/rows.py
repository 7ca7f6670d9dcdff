"""The rows of the spool and their sizes, without reading the events."""

import sqlite3
from collections import Counter
from contextlib import closing
from typing import Final, NamedTuple

MIB: Final = 1 << 20

BYTES: Final = "CASE typeof(event) WHEN 'blob' THEN length(event) ELSE length(CAST(event AS BLOB)) END"
"""Of a blob, SQLite knows the length without reading it. The event of a damaged row may be a text."""
_SIZES: Final = f"SELECT lane, {BYTES} FROM events"  # noqa: S608 - ours
_DONE_WITH: Final = f"""
SELECT id, reason, coalesce({BYTES}, 0) FROM done_with LEFT JOIN events USING (id) ORDER BY id LIMIT ?"""  # noqa: S608 - ours
_REMOVED_AT_ONCE: Final = 500
_BYTES_REMOVED_AT_ONCE: Final = 8 * MIB
"""Rows and bytes; meanwhile nothing is spooled."""


class SpoolLane(NamedTuple):
    """The number of events of one lane, and their size in bytes."""

    lane: int
    events: int
    size: int


def lanes(database: sqlite3.Connection) -> list[SpoolLane]:
    """Return what is in the file by lane. SQLite itself would copy all events to temporary files in order to group them."""
    counts: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    for lane, size in database.execute(_SIZES):
        counts[lane] += 1
        sizes[lane] += size
    return [SpoolLane(lane, count, sizes[lane]) for lane, count in counts.items()]


def rows_to_remove(database: sqlite3.Connection) -> list[tuple[int, str | None]]:
    """Return ids of rows that are done with, and reasons: so few that their removal takes a moment."""
    found: list[tuple[int, str | None]] = []
    left = _BYTES_REMOVED_AT_ONCE
    with closing(database.execute(_DONE_WITH, (_REMOVED_AT_ONCE,))) as rows:
        for at, reason, size in rows:
            found.append((at, reason))
            left -= size
            if left <= 0:
                break
    return found
