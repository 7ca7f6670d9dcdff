"""Writing batches of rows to the database."""

import asyncio
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.dml import Insert

from hookline_processor.ledger.database import schema
from hookline_processor.ledger.database.engine import transaction
from hookline_processor.ledger.database.errors import wrong_revision
from hookline_processor.ledger.database.upserts import Upserts
from hookline_processor.ledger.rows.rows import Row, Rows, chunks

_AT_ONCE: Final = 100
"""Rows handed over in one statement: building them holds up the event loop, and nothing should do so for milliseconds."""


class Store:
    """The tables behind `engine`, for writing."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._upserts = Upserts(engine.dialect.name)

    async def write(self, batch: Sequence[Rows]) -> None:
        """Write `batch` in one transaction. To write it again, as a whole or in parts, changes nothing.

        Raises:
            DatabaseUnavailableError: if the database cannot be used now; whether the batch was written is not known.
            RowRefusedError: if it refused a row; nothing was written.

        """
        async with transaction(self._engine) as connection:
            await self._upsert(connection, self._upserts.event, [rows.event for rows in batch], "id")
            await self._upsert(connection, self._upserts.message, [rows.message for rows in batch if rows.message], "sid")
            await self._upsert(connection, self._upserts.call, [rows.call for rows in batch if rows.call], "sid")

    async def probe(self) -> None:
        """Make sure that the database answers, and has the tables of this version.

        Raises:
            DatabaseUnavailableError: if not.

        """
        async with transaction(self._engine) as connection:
            found = await connection.scalar(select(schema.version.c.version_num))
        if found != schema.REVISION:
            raise wrong_revision(found)

    async def _upsert(self, connection: AsyncConnection, statement: Insert, rows: list[Row], key: str) -> None:
        # In the order of their keys: two processors that write the same rows could block each other for ever otherwise.
        for some in chunks(sorted(rows, key=itemgetter(key)), _AT_ONCE):
            await connection.execute(statement, some)
            await asyncio.sleep(0)
