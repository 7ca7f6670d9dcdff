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

_ROWS_PER_STATEMENT: Final = 100
"""Rows per statement. Building a statement blocks the event loop, which must not take milliseconds."""


class Store:
    """Writes rows to the tables behind `engine`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._upserts = Upserts(engine.dialect.name)

    async def write(self, batch: Sequence[Rows]) -> None:
        """Write `batch` in one transaction. Writing it again, as a whole or in parts, changes nothing.

        Raises:
            DatabaseUnavailableError: if the database cannot be used now. The batch may have been written.
            RowRefusedError: if it refused a row. Nothing was written.

        """
        async with transaction(self._engine) as connection:
            await self._upsert(connection, self._upserts.event, [rows.event for rows in batch], "id")
            await self._upsert(connection, self._upserts.message, [rows.message for rows in batch if rows.message], "sid")
            await self._upsert(connection, self._upserts.call, [rows.call for rows in batch if rows.call], "sid")

    async def probe(self) -> None:
        """Check that the database answers and has the tables of this version.

        Raises:
            DatabaseUnavailableError: if it does not.

        """
        async with transaction(self._engine) as connection:
            found = await connection.scalar(select(schema.version.c.version_num))
        if found != schema.REVISION:
            raise wrong_revision(found)

    async def _upsert(self, connection: AsyncConnection, statement: Insert, rows: list[Row], key: str) -> None:
        # Sorted by key, or two processors that write the same rows could deadlock.
        for chunk in chunks(sorted(rows, key=itemgetter(key)), _ROWS_PER_STATEMENT):
            await connection.execute(statement, chunk)
            await asyncio.sleep(0)
