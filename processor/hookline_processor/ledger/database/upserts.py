"""The statements that write rows, for each dialect.

Each statement is idempotent, and its result does not depend on the order of rows. The later settlement of an event wins. A
message or call gets the status of the highest rank, and the earliest time of each status. So batches need no bookkeeping, and
callbacks may overtake each other. Values that should never differ, such as the sender, come from the first row that has them.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Table, and_, case, cast, func, literal_column, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.dml import Insert

from hookline_processor.ledger.database.schema import calls, events, messages

Columns = ReadOnlyColumnCollection[str, Any]
Merge = Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[Any]]

_STATUS_COLUMNS: Final = ("status", "status_rank", "status_at", "error_code")
_MERGED_COLUMNS: Final = ("sid", "first_at", "last_at", "timeline", *_STATUS_COLUMNS)


class Upserts:
    """The statements for `dialect`, "postgresql" or "sqlite"."""

    def __init__(self, dialect: str) -> None:
        self._insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
        self._merge_objects: Merge = _merge_jsonb if dialect == "postgresql" else _merge_text
        self._member: Merge = _member_of_jsonb if dialect == "postgresql" else _member_of_text
        self.event: Insert = self._event()
        self.message: Insert = self._status_of(messages)
        self.call: Insert = self._status_of(calls)

    def _event(self) -> Insert:
        insert = self._insert(events)
        new = insert.excluded
        values = {column.name: new[column.name] for column in events.c if column.name != "id"}
        statement: Insert = insert.on_conflict_do_update(
            index_elements=[events.c.id], set_=values, where=new.settled_at > events.c.settled_at
        )
        return statement

    def _status_of(self, table: Table) -> Insert:
        insert = self._insert(table)
        new, old = insert.excluded, table.c
        later = or_(new.status_rank > old.status_rank, and_(new.status_rank == old.status_rank, new.status_at < old.status_at))
        values: dict[str, ColumnElement[Any]] = {}
        values |= {column.name: func.coalesce(column, new[column.name]) for column in old if column.name not in _MERGED_COLUMNS}
        values |= {name: case((later, new[name]), else_=old[name]) for name in _STATUS_COLUMNS}
        values["first_at"] = case((new.first_at < old.first_at, new.first_at), else_=old.first_at)
        values["last_at"] = case((new.last_at > old.last_at, new.last_at), else_=old.last_at)
        known_earlier = self._member(old.timeline, new.status) <= new.status_at
        values["timeline"] = case((known_earlier, old.timeline), else_=self._merge_objects(old.timeline, new.timeline))
        statement: Insert = insert.on_conflict_do_update(index_elements=[old.sid], set_=values)
        return statement


def _merge_jsonb(below: ColumnElement[Any], above: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the members of both objects; `above` wins."""
    return below.op("||")(above)


def _merge_text(below: ColumnElement[Any], above: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.json_patch(below, above)


def _member_of_jsonb(document: ColumnElement[Any], name: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the number under `name` in `document`, or null."""
    return cast(document.op("->>")(name), BigInteger)


def _member_of_text(document: ColumnElement[Any], name: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the same without a JSON path: a name from outside may be invalid in a path."""
    members = func.json_each(document).table_valued("key", "value")
    # As a literal, or SQLAlchemy would add another table of that name to the query.
    excluded: ColumnElement[Any] = literal_column(f"excluded.{name.key}")
    return select(members.c.value).where(members.c.key == excluded).scalar_subquery()
