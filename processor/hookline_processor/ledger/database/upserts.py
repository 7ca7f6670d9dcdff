"""The statements that write rows, for each dialect.

Each is safe to run again, and its result is the same in whatever order rows come: of an event the later settlement counts, of a
message or call the status of the higher rank, and the earliest time of each. So batches need no bookkeeping, and callbacks may
overtake each other. What should never differ, such as who sent a message, is what the first row says that says it.
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

_OF_THE_STATUS: Final = ("status", "status_rank", "status_at", "error_code")
_FIXED: Final = ("sid", "first_at", "last_at", "timeline", *_OF_THE_STATUS)


class Upserts:
    """The statements for `dialect`, "postgresql" or "sqlite"."""

    def __init__(self, dialect: str) -> None:
        self._insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
        self._merge_objects: Merge = _concatenated if dialect == "postgresql" else _patched
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
        values |= {column.name: func.coalesce(column, new[column.name]) for column in old if column.name not in _FIXED}
        values |= {name: case((later, new[name]), else_=old[name]) for name in _OF_THE_STATUS}
        values["first_at"] = case((new.first_at < old.first_at, new.first_at), else_=old.first_at)
        values["last_at"] = case((new.last_at > old.last_at, new.last_at), else_=old.last_at)
        heard_before = self._member(old.timeline, new.status) <= new.status_at
        values["timeline"] = case((heard_before, old.timeline), else_=self._merge_objects(old.timeline, new.timeline))
        statement: Insert = insert.on_conflict_do_update(index_elements=[old.sid], set_=values)
        return statement


def _concatenated(below: ColumnElement[Any], above: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the members of both objects; those of `above` win."""
    return below.op("||")(above)


def _patched(below: ColumnElement[Any], above: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.json_patch(below, above)


def _member_of_jsonb(whole: ColumnElement[Any], name: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the number that `whole` has under `name`, null if none."""
    return cast(whole.op("->>")(name), BigInteger)


def _member_of_text(whole: ColumnElement[Any], name: ColumnElement[Any]) -> ColumnElement[Any]:
    """Do the same without a path: a name that somebody else chose may not fit into one."""
    members = func.json_each(whole).table_valued("key", "value")
    # As text, or SQLAlchemy would join the table once more under that name.
    excluded: ColumnElement[Any] = literal_column(f"excluded.{name.key}")
    return select(members.c.value).where(members.c.key == excluded).scalar_subquery()
