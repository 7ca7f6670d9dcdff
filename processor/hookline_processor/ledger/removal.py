"""Removing what is too old, and what is somebody's who wants to be forgotten: in batches, each a transaction of its own."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Table, Text, cast, delete, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.database.engine import transaction
from hookline_processor.ledger.database.schema import calls, events, messages
from hookline_processor.ledger.rows.addresses import normalised

Progress = Callable[[str, int], None]
"""Told of a table and how many of its rows were removed just now."""

_BATCH: Final = 1000
_AGES: Final = {"events": events.c.received_at, "messages": messages.c.last_at, "calls": calls.c.last_at}
_KEYS: Final = {"events": events.c.id, "messages": messages.c.sid, "calls": calls.c.sid}
_TEXTS: Final = {
    "events": ("key", "error", "params"),
    "messages": ("sender", "recipient", "body", "media"),
    "calls": ("sender", "recipient"),
}
"""Where an address may stand among other things: in what somebody wrote, or as a part of a SIP address."""
_TELLING: Final = 7
"""A shorter address, such as a short code, stands in too many texts by chance."""


async def count_older(engine: AsyncEngine, before: int) -> dict[str, int]:
    """Return how many rows of each table are older than `before`, Unix time in milliseconds.

    Raises:
        DatabaseUnavailableError: if the database cannot be used now.

    """
    async with transaction(engine) as connection:
        return {
            name: int(await connection.scalar(select(func.count()).select_from(age.table).where(age < before)) or 0)
            for name, age in _AGES.items()
        }


async def purge(engine: AsyncEngine, before: int, progress: Progress) -> None:
    """Remove events received, and messages and calls last heard of, before `before`, Unix time in milliseconds.

    Raises:
        DatabaseUnavailableError: if the database cannot be used now; what was removed before stays removed.

    """
    for name, age in _AGES.items():
        oldest = select(_KEYS[name]).where(age < before).order_by(age).limit(_BATCH)
        removed = _BATCH
        while removed == _BATCH:
            async with transaction(engine) as connection:
                removed = (await connection.execute(delete(age.table).where(_KEYS[name].in_(oldest)))).rowcount
            progress(name, removed)


async def forget(engine: AsyncEngine, address: str) -> dict[str, int]:
    """Remove every row that is about `address`, or mentions it; return how many of each table.

    Those are messages and calls from and to it, or that mention it, all events about these, such as recordings, and events that
    have it anywhere in their parameters.

    Raises:
        DatabaseUnavailableError: if the database cannot be used now. What was removed before stays removed: do it again.

    """
    whose = normalised(address)
    sids: list[str] = []
    removed = {}
    for name, table in (("messages", messages), ("calls", calls)):
        own = await _find(engine, table.c.sid, _is_about(table, whose))
        sids += own
        removed[name] = own
    found = dict.fromkeys(await _find(engine, events.c.id, _is_about(events, whose)))
    for some in _pieces(sids):
        found |= dict.fromkeys(await _find(engine, events.c.id, or_(events.c.sid.in_(some), events.c.parent_sid.in_(some))))
    counts = {"events": await _remove(engine, events, events.c.id, list(found))}
    for name, table in (("messages", messages), ("calls", calls)):
        counts[name] = await _remove(engine, table, table.c.sid, removed[name])
    if engine.dialect.name == "sqlite":  # whose log still has what was written
        async with transaction(engine) as connection:
            await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    return counts


def _is_about(table: Table, whose: str) -> ColumnElement[bool]:
    about: list[ColumnElement[bool]] = [table.c.sender == whose, table.c.recipient == whose]
    bare = whose.removeprefix("+")
    if len(bare) >= _TELLING:
        texts = (cast(table.c[name], Text) for name in _TEXTS[table.name])
        about += [func.lower(text).contains(bare, autoescape=True) for text in texts]
    return or_(*about)


async def _find(engine: AsyncEngine, key: Column[Any], condition: ColumnElement[bool]) -> list[str]:
    async with transaction(engine) as connection:
        return list(await connection.scalars(select(key).where(condition)))


async def _remove(engine: AsyncEngine, table: Table, key: Column[Any], values: Sequence[str]) -> int:
    removed = 0
    for some in _pieces(values):
        async with transaction(engine) as connection:
            if engine.dialect.name == "sqlite":  # which leaves what it removes in its file otherwise
                await connection.execute(text("PRAGMA secure_delete=ON"))
            removed += (await connection.execute(delete(table).where(key.in_(some)))).rowcount
    return removed


def _pieces(values: Sequence[str]) -> list[Sequence[str]]:
    return [values[at : at + _BATCH] for at in range(0, len(values), _BATCH)]
