"""The tables of the ledger. All times are Unix time in milliseconds; addresses have the form of `addresses.normalise`.

`migrations/` creates them; a test compares both. `rows.py` makes the rows, and keeps every text within its column.
"""

from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

REVISION: Final = "0001"
"""The migration that creates the tables in this form."""

metadata: Final = MetaData()

version: Final = Table("ledger_version", metadata, Column("version_num", String(32), primary_key=True))
"""The table of Alembic, under a name that cannot collide with another application in the same database."""


def json_type() -> JSON:
    """Return the type of JSON columns, which PostgreSQL can search."""
    return JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


events: Final = Table(
    "events",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("kind", String(100), nullable=False),
    Column("topic", String(64), nullable=False),
    Column("key", String(512), nullable=False),
    Column("account", String(64), nullable=False),
    Column("sid", String(64)),
    Column("parent_sid", String(64)),
    Column("sender", String(320)),
    Column("recipient", String(320)),
    Column("status", String(40)),
    Column("received_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger, nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", String(20)),
    Column("error", String(2000)),
    Column("params", json_type()),
    Index("ix_events_received_at", "received_at"),
    Index("ix_events_kind", "kind", "received_at"),
    Index("ix_events_sender", "sender", "received_at"),
    Index("ix_events_recipient", "recipient", "received_at"),
    Index("ix_events_sid", "sid", "received_at"),
    Index("ix_events_parent_sid", "parent_sid", "received_at"),
)


def _status_columns() -> list[Column[Any]]:
    """Return the columns that messages and calls share: parties, latest status, and when each status was first received.

    `timeline` is an object of status -> time. `error_code` belongs to the latest status.
    """
    return [
        Column("sid", String(64), primary_key=True),
        Column("account", String(64)),
        Column("direction", String(40)),
        Column("sender", String(320)),
        Column("recipient", String(320)),
        Column("status", String(40)),
        Column("status_rank", Integer, nullable=False),
        Column("status_at", BigInteger, nullable=False),
        Column("error_code", String(20)),
        Column("timeline", json_type(), nullable=False),
        Column("first_at", BigInteger, nullable=False),
        Column("last_at", BigInteger, nullable=False),
    ]


def _status_indexes(table: str) -> list[Index]:
    return [
        Index(f"ix_{table}_between", "sender", "recipient", "first_at"),
        Index(f"ix_{table}_recipient", "recipient", "first_at"),
        Index(f"ix_{table}_last_at", "last_at"),
    ]


messages: Final = Table(
    "messages",
    metadata,
    *_status_columns(),
    Column("body", Text),
    Column("media", json_type()),
    *_status_indexes("messages"),
)

calls: Final = Table("calls", metadata, *_status_columns(), Column("duration", Integer), *_status_indexes("calls"))
