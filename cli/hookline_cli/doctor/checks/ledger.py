"""Check the database of the ledger and its tables."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hookline_cli.doctor.finding import Finding, fine, problem
from hookline_cli.doctor.subject import Subject
from hookline_shared.errors import HooklineError

if TYPE_CHECKING:
    from hookline_processor.ledger.settings import LedgerSettings

_CHECK: Final = "ledger"
_TIMEOUT_S: Final = 10.0
_MEANING: Final = (
    "Webhooks are accepted and events are handled, but their history is not written: it waits in Redis. When "
    "LEDGER_BACKLOG_LIMIT events wait, handling stops."
)
_MIGRATE: Final = "Run `hookline ledger migrate` with the same settings; `hookline up` does so by itself."
_RESTORE: Final = "Do what the text says, or restore the database. The services recover by themselves."


async def check_ledger(subject: Subject) -> list[Finding]:
    """Check that the database answers, and has the tables of this version. Without a ledger there is nothing to check."""
    if subject.processor is None or subject.processor.ledger.url is None:
        return []
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return [await _probe(subject.processor.ledger)]
    except TimeoutError:
        return [problem(_CHECK, f"the database did not answer within {_TIMEOUT_S:g} s", _MEANING, _RESTORE)]
    except HooklineError as error:
        return [problem(_CHECK, str(error).rstrip("."), _MEANING, _RESTORE)]


async def _probe(settings: "LedgerSettings") -> Finding:
    from hookline_processor.ledger.database.engine import close, database_of, make_engine  # noqa: PLC0415 - an extra
    from hookline_processor.ledger.database.schema import REVISION  # noqa: PLC0415
    from hookline_processor.ledger.database.store import Store  # noqa: PLC0415

    file = database_of(settings).file
    if file is not None and not await asyncio.to_thread(Path(file).exists):  # connecting would create it
        return problem(_CHECK, f"the file {file} does not exist, so the ledger's tables are missing", _MEANING, _MIGRATE)
    engine = make_engine(settings)
    try:
        await Store(engine).probe()
    finally:
        await close(engine)
    return fine(_CHECK, f"the database answers, and its tables are at revision {REVISION}")
