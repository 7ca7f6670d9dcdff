"""Connections to the database: the engine and pool of SQLAlchemy, with one setup for the processor and the CLI."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from hookline_processor.ledger.database.errors import translate, unavailable
from hookline_processor.ledger.database.pool_gauges import is_exhausted
from hookline_processor.ledger.metrics import DATABASE_POOL_CONNECTIONS
from hookline_processor.ledger.settings import LedgerSettings, SettingsWithLedger
from hookline_processor.ledger.url import DatabaseUrl, parse_database_url
from hookline_shared.errors import HooklineError, SettingsError

_APPLICATION = "hookline"
_CLOSE_TIMEOUT_S = 1.0
"""Without a limit, SQLAlchemy waits for the command time-out of each connection."""
_WAITING = DATABASE_POOL_CONNECTIONS.labels("waiting")


def database_of(settings: LedgerSettings) -> DatabaseUrl:
    """Return the database of `settings`.

    Raises:
        SettingsError: if no database is set.

    """
    if settings.url is None:
        raise SettingsError(
            [
                "HOOKLINE_LEDGER_URL is not set, so there is no ledger. Set it, or give the folder of `hookline up` as --data.",
                *map(str, SettingsWithLedger.ignored()),
            ]
        )
    return parse_database_url(settings.url)


def make_engine(settings: LedgerSettings) -> AsyncEngine:
    """Return an engine, which connects on first use.

    Raises:
        SettingsError: if no database is set.

    """
    database = database_of(settings)
    engine = create_async_engine(
        database.url,
        pool_size=settings.pool_size,
        max_overflow=settings.pool_overflow,
        pool_timeout=settings.pool_timeout_s,
        pool_recycle=settings.pool_recycle_s,
        pool_pre_ping=True,
        pool_use_lifo=True,
        connect_args=_connect_args(database, settings),
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
        hide_parameters=True,
    )
    if database.file is not None:
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    return engine


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Yield a connection in a transaction, committed at the end of the block, or rolled back if it raises.

    Raises:
        DatabaseUnavailableError: if the database cannot be used now.
        RowRefusedError: if it refused a value.

    """
    translation: Callable[[BaseException], HooklineError] = unavailable
    try:
        with ExitStack() as waiting:
            if is_exhausted(engine):
                waiting.enter_context(_WAITING.track_inprogress())
            async with engine.connect() as connection:
                waiting.close()
                translation = translate
                async with connection.begin():
                    yield connection
    except Exception as error:
        raise translation(error) from error


async def close(engine: AsyncEngine) -> None:
    """Close all connections. Give up after a second if the server does not answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await engine.dispose()


def _connect_args(database: DatabaseUrl, settings: LedgerSettings) -> dict[str, Any]:
    if database.file is not None:
        return {"timeout": settings.connect_timeout_s}
    return {
        "dsn": f"postgresql://?{database.options}",
        "timeout": settings.connect_timeout_s,
        "command_timeout": settings.command_timeout_s,
        "server_settings": {"application_name": _APPLICATION},
    }


def _set_up_sqlite(connection: DBAPIConnection, _record: object) -> None:
    """Allow readers beside one writer, and make a commit durable on disk."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def prepare_file(settings: LedgerSettings) -> None:
    """Create the SQLite file if it is missing, with permissions for its owner only: it will contain personal data.

    Raises:
        DatabaseUnavailableError: if it cannot be created.

    """
    file = database_of(settings).file
    try:
        if file is not None:
            Path(file).touch(mode=0o600, exist_ok=True)
    except OSError:
        raise translate(sqlite3.OperationalError("unable to open database file")) from None
