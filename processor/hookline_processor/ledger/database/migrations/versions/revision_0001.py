"""The first tables: events, messages and calls."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and their indexes."""
    op.create_table(
        "events",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("key", sa.String(512), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("sid", sa.String(64)),
        sa.Column("parent_sid", sa.String(64)),
        sa.Column("sender", sa.String(320)),
        sa.Column("recipient", sa.String(320)),
        sa.Column("status", sa.String(40)),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("settled_at", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(20)),
        sa.Column("error", sa.String(2000)),
        sa.Column("params", _json()),
    )
    op.create_index("ix_events_received_at", "events", ["received_at"])
    for column in ("kind", "sender", "recipient", "sid", "parent_sid"):
        op.create_index(f"ix_events_{column}", "events", [column, "received_at"])
    _create_with_status("messages", sa.Column("body", sa.Text), sa.Column("media", _json()))
    _create_with_status("calls", sa.Column("duration", sa.Integer))


def _create_with_status(table: str, *own: sa.Column[Any]) -> None:
    op.create_table(
        table,
        sa.Column("sid", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(64)),
        sa.Column("direction", sa.String(40)),
        sa.Column("sender", sa.String(320)),
        sa.Column("recipient", sa.String(320)),
        sa.Column("status", sa.String(40)),
        sa.Column("status_rank", sa.Integer, nullable=False),
        sa.Column("status_at", sa.BigInteger, nullable=False),
        sa.Column("error_code", sa.String(20)),
        sa.Column("timeline", _json(), nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        *own,
    )
    op.create_index(f"ix_{table}_between", table, ["sender", "recipient", "first_at"])
    op.create_index(f"ix_{table}_recipient", table, ["recipient", "first_at"])
    op.create_index(f"ix_{table}_last_at", table, ["last_at"])


def _json() -> sa.JSON:
    return sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
