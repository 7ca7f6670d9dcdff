"""Run work on the database of the ledger from a command."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from hookline_cli.settings.running import find_running
from hookline_cli.workspace import Workspace
from hookline_processor.ledger.settings import LedgerSettings, SettingsWithLedger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

Result = TypeVar("Result")


def find_ledger(data: Path) -> LedgerSettings:
    """Return the ledger of the settings, otherwise the one in the folder `data` of `hookline up`; its URL is None without one.

    Raises:
        SettingsError: if a setting is invalid.

    """
    settings, file = SettingsWithLedger.load(find_running(data).adopted).ledger, Workspace(data).ledger
    if settings.url is None and file.exists():
        return msgspec.structs.replace(settings, url=f"sqlite:///{file.resolve()}")
    return settings


def with_engine(settings: LedgerSettings, work: "Callable[[AsyncEngine], Awaitable[Result]]") -> Result:
    """Return the result of `work`, called with an engine of the database that is closed afterwards.

    Raises:
        SettingsError: if no database is set.
        DatabaseUnavailableError: if it is a file that cannot be created.

    """
    from hookline_processor.ledger.database.engine import close, make_engine, prepare_file

    async def run() -> Result:
        engine = make_engine(settings)
        try:
            return await work(engine)
        finally:
            await close(engine)

    prepare_file(settings)
    return asyncio.run(run())


def prepare_ledger(settings: LedgerSettings) -> None:
    """Migrate the tables to this version, or say why that must wait: a database that is down stops nothing.

    Raises:
        HooklineError: if an operator must fix it.

    """
    from hookline_processor.ledger.database.errors import DatabaseUnavailableError
    from hookline_processor.ledger.database.migrate import migrate

    try:
        with_engine(settings, migrate)
    except DatabaseUnavailableError as error:
        if error.needs_operator:
            raise
        sys.stderr.write(f"hookline: {error}. The history waits in Redis until the database is back.\n")
