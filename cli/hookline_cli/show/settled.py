"""Find settled events: in the ledger, and in Redis those that wait for the ledger's database."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from hookline_cli.ledger.database import find_ledger
from hookline_cli.redis_session import RedisSession
from hookline_cli.show.search import SearchTerm
from hookline_shared.errors import HooklineError
from hookline_shared.streams.ledger import FRONT, LedgerStreams

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from hookline_processor.ledger.settings import LedgerSettings

Row = Mapping[str, Any]
Result = TypeVar("Result")

_PAGE: Final = 1000
_TIMEOUT_S: Final = 30.0
NO_LEDGER: Final = "There is no ledger, so settled events leave no trace."


class LedgerAnswer(NamedTuple):
    """Rows of the table `events`, and why the ledger was not searched, empty if it was."""

    rows: list[Row]
    problem: str = ""


async def search_ledger(data: Path, term: SearchTerm, limit: int) -> LedgerAnswer:
    """Return the events in the ledger of the settings, or of the `hookline up` in `data`. A ledger that is away is no error."""
    try:
        settings = find_ledger(data)
        if settings.url is None:
            return LedgerAnswer([], NO_LEDGER)
        async with asyncio.timeout(_TIMEOUT_S):
            return LedgerAnswer(await ask_ledger(settings, lambda engine: search_rows(engine, term, limit)))
    except TimeoutError:
        return LedgerAnswer([], f"The ledger's database did not answer within {_TIMEOUT_S:g} s.")
    except HooklineError as error:
        return LedgerAnswer([], f"The ledger cannot be searched: {str(error).rstrip('.')}.")


async def ask_ledger(settings: "LedgerSettings", work: "Callable[[AsyncEngine], Awaitable[Result]]") -> Result:
    """Return the result of `work`, which reads, called with an engine of the ledger that is closed afterwards.

    Raises:
        HooklineError: if the ledger cannot be used.

    """
    from hookline_processor.ledger.database.engine import close, database_of, make_engine  # noqa: PLC0415 - an extra
    from hookline_processor.ledger.database.store import Store  # noqa: PLC0415

    file = database_of(settings).file
    if file is not None and not await asyncio.to_thread(Path(file).exists):  # connecting would create it
        raise HooklineError(f"the file {file} does not exist")
    engine = make_engine(settings)
    try:
        await Store(engine).probe()
        return await work(engine)
    finally:
        await close(engine)


async def search_rows(engine: "AsyncEngine", term: SearchTerm, limit: int) -> list[Row]:
    """Return the events with this id or SID in the database of `engine`, newest first.

    Raises:
        DatabaseUnavailableError: if the database cannot be used now.

    """
    from hookline_processor.ledger.search import Query, search  # noqa: PLC0415 - an extra

    wanted = Query(sid=term.text) if term.is_sid else Query(event_id=term.text)
    return [*await search(engine, wanted._replace(limit=limit))]


async def search_ledger_streams(redis_session: RedisSession, term: SearchTerm) -> list[Row]:
    """Return the settled events in Redis that are not in the ledger yet, as rows of the table `events`.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    from hookline_processor.ledger.body_policy import BodyPolicy  # noqa: PLC0415 - only if there is a ledger
    from hookline_processor.ledger.entry import read_entry  # noqa: PLC0415
    from hookline_processor.ledger.rows.rows import rows_of  # noqa: PLC0415

    streams = LedgerStreams(redis_session.redis)
    found: list[Row] = []
    positions = dict.fromkeys(range(redis_session.partitions), FRONT)
    while entries := await streams.read(positions, _PAGE):
        found += [rows_of(read_entry(one), BodyPolicy.KEEP).event for one in entries if term.fits(one.fields)]
        positions = {one.partition: one.id for one in entries}  # the last id of each partition; those at their end are left out
    return found


def merged(waiting: Iterable[Row], kept: Iterable[Row], known: Iterable[str]) -> list[Row]:
    """Return each settled event once, the oldest first, without those in `known`, which are in Redis as events or letters.

    Of two rows about one event, the one that was settled later counts: a dead letter may have been replayed.
    """
    found: dict[str, Row] = {}
    for row in (*kept, *waiting):
        if row["id"] not in found or row["settled_at"] >= found[row["id"]]["settled_at"]:
            found[row["id"]] = row
    left_out = set(known)
    return sorted((row for key, row in found.items() if key not in left_out), key=lambda row: (row["received_at"], row["id"]))
