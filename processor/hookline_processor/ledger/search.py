"""Searching events, and the messages and calls between two parties, newest first.

Each search has an index that also provides the order, so it reads no more rows than it returns:

    an event id   the primary key
    a number      ix_events_sender and ix_events_recipient    a kind         ix_events_kind
    a SID         ix_events_sid and ix_events_parent_sid      none of these  ix_events_received_at
    two parties   ix_messages_between and ix_calls_between
"""

from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, and_, func, or_, select, true, union_all
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.database.engine import transaction
from hookline_processor.ledger.database.schema import calls, events, messages
from hookline_processor.ledger.rows.addresses import normalise

Found = dict[str, Any]

_FAMILY_SUFFIX: Final = ".*"


class Query(NamedTuple):
    """The conditions of a search. None means any value; `since` is Unix time in milliseconds.

    `with_params` is whether the parameters are read, too, which may be large.
    """

    number: str | None = None
    sid: str | None = None
    kind: str | None = None
    status: str | None = None
    since: int | None = None
    limit: int = 100
    with_params: bool = True
    event_id: str | None = None


async def search(engine: AsyncEngine, query: Query) -> list[Found]:
    """Return the events that match `query`, newest first.

    Raises:
        DatabaseUnavailableError: if the database cannot be used now.

    """
    async with transaction(engine) as connection:
        return [dict(row) for row in (await connection.execute(search_statement(query))).mappings()]


async def conversation(engine: AsyncEngine, party: str, other_party: str, limit: int) -> list[Found]:
    """Return the last messages and calls between two parties, oldest first; `what` is "message" or "call".

    Raises:
        DatabaseUnavailableError: if the database cannot be used now.

    """
    found: list[Found] = []
    async with transaction(engine) as connection:
        for label, table in (("message", messages), ("call", calls)):
            rows = await connection.execute(_between(table, normalise(party), normalise(other_party), limit))
            found += [{"what": label, **row} for row in rows.mappings()]
    return sorted(found, key=lambda row: (row["first_at"], row["sid"]))[-limit:]


def search_statement(query: Query) -> Select[Any]:
    """Return the statement for `query`."""
    filters = _filters(query)
    newest = (events.c.received_at.desc(), events.c.id.desc())
    parts = [
        select(events.c.id).where(condition, *filters).order_by(*newest).limit(query.limit)
        for condition in _indexed_conditions(query) or [true()]
    ]
    ids = union_all(*(select(part.subquery()) for part in parts))
    columns = [column for column in events.c if query.with_params or column is not events.c.params]
    return select(*columns).where(events.c.id.in_(ids)).order_by(*newest).limit(query.limit)


def _indexed_conditions(query: Query) -> list[ColumnElement[bool]]:
    """Return the alternative conditions of the query, each served by an index; an empty list if every event matches."""
    if query.event_id is not None:
        return [events.c.id == query.event_id]
    if query.sid is not None:
        own, parent = events.c.sid == query.sid, events.c.parent_sid == query.sid
        return [own, and_(parent, events.c.sid.is_distinct_from(query.sid))]
    if query.number is not None:
        number = normalise(query.number)
        return [
            events.c.sender == number,
            and_(events.c.recipient == number, events.c.sender.is_distinct_from(number)),
        ]
    return []


def _filters(query: Query) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.sid is not None and query.number is not None:
        number = normalise(query.number)
        found.append(or_(events.c.sender == number, events.c.recipient == number))
    kind = (
        func.coalesce(events.c.kind, "") if _indexed_conditions(query) else events.c.kind
    )  # or SQLite would go by the index of kinds alone
    if query.kind is not None and query.kind.endswith(_FAMILY_SUFFIX):
        found.append(kind.startswith(query.kind[:-1], autoescape=True))
    elif query.kind is not None:
        found.append(kind == query.kind)
    if query.status is not None:
        found.append(or_(events.c.status == func.lower(query.status), events.c.outcome == func.lower(query.status)))
    if query.since is not None:
        found.append(events.c.received_at >= query.since)
    return found


def _between(table: Table, party: str, other_party: str, limit: int) -> Select[Any]:
    columns = table.c
    directions = {(party, other_party), (other_party, party)}  # a set: one direction if both are the same
    parts = [
        select(columns.sid)
        .where(columns.sender == sender, columns.recipient == recipient)
        .order_by(columns.first_at.desc())
        .limit(limit)
        for sender, recipient in directions
    ]
    sids = union_all(*(select(part.subquery()) for part in parts))
    return select(table).where(columns.sid.in_(sids)).order_by(columns.first_at.desc()).limit(limit)
