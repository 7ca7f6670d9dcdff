"""Creating the tables, or migrating them to this version."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.database import schema
from hookline_processor.ledger.database.engine import transaction
from hookline_processor.ledger.database.errors import wrong_revision

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCKS: Final = {"postgresql": "SELECT pg_advisory_xact_lock(1752133483)", "sqlite": "BEGIN IMMEDIATE"}
"""The lock that serializes concurrent migrations. The number is arbitrary."""


async def migrate(engine: AsyncEngine) -> str | None:
    """Migrate the tables to this version in one transaction. Return their earlier revision, or None if there were none.

    Raises:
        DatabaseUnavailableError: if the database cannot be used, or was migrated by a newer version.

    """
    async with transaction(engine) as connection:
        await connection.execute(text(_LOCKS[connection.dialect.name]))
        before = await connection.run_sync(_revision)
        if before is not None and before > schema.REVISION:
            raise wrong_revision(before)
        if before != schema.REVISION:
            await connection.run_sync(_upgrade)
        return before


def configuration() -> Config:
    """Return the configuration of Alembic."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def _upgrade(connection: Connection) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(schema.version.name):
        return None
    found: str | None = connection.scalar(select(schema.version.c.version_num))
    return found
