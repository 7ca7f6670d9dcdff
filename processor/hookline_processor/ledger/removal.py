"""Removing old rows, and all rows about one address: in batches, each in its own transaction."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Table, Text, cast, delete, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.database.engine import transaction
from hookline_processor.ledger.database.errors import DatabaseUnavailableError
from hookline_processor.ledger.database.schema import calls, events, messages
from hookline_processor.ledger.rows.addresses import normalise

Progress = Callable[[str, int], None]
"""Called with the name of a table and the number of rows just removed."""

_BATCH: Final = 1000
_SMALLER: Final = 10
_AGE_COLUMNS: Final = {"events": events.c.received_at, "messages": messages.c.last_at, "calls": calls.c.last_at}
_KEY_COLUMNS: Final = {"events": events.c.id, "messages": messages.c.sid, "calls": calls.c.sid}
_TEXT_COLUMNS: Final = {
    "events": ("key", "error", "params"),
    "messages": ("sender", "recipient", "body", "media"),
    "calls": ("sender", "recipient"),
}
"""Columns that may contain an address inside a longer text: a message, or a SIP address."""
_MIN_TEXT_SEARCH: Final = 7
"""A shorter address, such as a short code, occurs in too many texts by chance."""


async def count_older(engine: AsyncEngine, before: int) -> dict[str, int]:
    """Return the number of rows of each table older than `before`, Unix time in milliseconds.

    Raises:
        DatabaseUnavailableError: if the database cannot be used now.

    """
    async with transaction(engine) as connection:
        return {
            name: int(await connection.scalar(select(func.count()).select_from(age.table).where(age < before)) or 0)
            for name, age in _AGE_COLUMNS.items()
        }


async def purge(engine: AsyncEngine, before: int, progress: Progress) -> None:
    """Remove events received, and messages and calls last updated, before `before`, Unix time in milliseconds.

    A batch that the database does not remove is tried again with fewer rows: large ones may take longer than a statement may.

    Raises:
        DatabaseUnavailableError: if the database cannot be used now. Rows removed so far stay removed.

    """
    batch = _BATCH
    for name, age in _AGE_COLUMNS.items():
        removed = batch
        while removed == batch:
            try:
                removed = await _remove_oldest(engine, name, age < before, batch)
            except DatabaseUnavailableError as error:
                if error.needs_operator or batch == 1:
                    raise
                batch = removed = max(1, batch // _SMALLER)
            else:
                progress(name, removed)


async def _remove_oldest(engine: AsyncEngine, name: str, condition: ColumnElement[bool], most: int) -> int:
    key, age = _KEY_COLUMNS[name], _AGE_COLUMNS[name]
    oldest = select(key).where(condition).order_by(age).limit(most)
    async with transaction(engine) as connection:
        return (await connection.execute(delete(age.table).where(key.in_(oldest)))).rowcount


async def forget(engine: AsyncEngine, address: str) -> dict[str, int]:
    """Remove every row about `address`, and return the number of removed rows by table.

    These are messages and calls from it, to it or that mention it, all events about those messages and calls, such as
    recordings, and events with the address anywhere in their parameters.

    Raises:
        DatabaseUnavailableError: if the database cannot be used now. Rows removed so far stay removed; call it again.

    """
    target = normalise(address)
    sids: list[str] = []
    removed = {}
    for name, table in (("messages", messages), ("calls", calls)):
        keys = await _find(engine, table.c.sid, _mentions(table, target))
        sids += keys
        removed[name] = keys
    found = dict.fromkeys(await _find(engine, events.c.id, _mentions(events, target)))
    for chunk in _chunks(sids):
        found |= dict.fromkeys(await _find(engine, events.c.id, or_(events.c.sid.in_(chunk), events.c.parent_sid.in_(chunk))))
    counts = {"events": await _remove(engine, events, events.c.id, list(found))}
    for name, table in (("messages", messages), ("calls", calls)):
        counts[name] = await _remove(engine, table, table.c.sid, removed[name])
    if engine.dialect.name == "sqlite":  # the write-ahead log still contains the removed data
        async with transaction(engine) as connection:
            await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    return counts


def _mentions(table: Table, target: str) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [table.c.sender == target, table.c.recipient == target]
    bare = target.removeprefix("+")
    if len(bare) >= _MIN_TEXT_SEARCH:
        texts = (cast(table.c[name], Text) for name in _TEXT_COLUMNS[table.name])
        conditions += [func.lower(text).contains(bare, autoescape=True) for text in texts]
    return or_(*conditions)


async def _find(engine: AsyncEngine, key: Column[Any], condition: ColumnElement[bool]) -> list[str]:
    async with transaction(engine) as connection:
        return list(await connection.scalars(select(key).where(condition)))


async def _remove(engine: AsyncEngine, table: Table, key: Column[Any], values: Sequence[str]) -> int:
    removed = 0
    for chunk in _chunks(values):
        async with transaction(engine) as connection:
            if engine.dialect.name == "sqlite":  # without it SQLite leaves removed data in its file
                await connection.execute(text("PRAGMA secure_delete=ON"))
            removed += (await connection.execute(delete(table).where(key.in_(chunk)))).rowcount
    return removed


def _chunks(values: Sequence[str]) -> list[Sequence[str]]:
    return [values[at : at + _BATCH] for at in range(0, len(values), _BATCH)]
