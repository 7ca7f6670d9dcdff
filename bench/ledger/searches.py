"""How fast the ledger's searches answer over a long history."""

import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.load.webhooks import ACCOUNT
from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_processor.ledger.database.store import Store
from hookline_processor.ledger.entry import SettledEvent
from hookline_processor.ledger.rows.rows import Rows, rows_of
from hookline_processor.ledger.search import Query, conversation, search, search_statement
from hookline_shared.event import Event, new_event_id

SHOP: Final = "+18005551212"
_PEOPLE: Final = 20_000
_BATCH: Final = 2000
_TRIES: Final = 5
_BEGIN_MS: Final = 1_750_000_000_000

QUERIES: Final = {
    "a person": Query(number="+14150000123"),
    "our own number, in every event": Query(number=SHOP),
    "a SID": Query(sid="SM00000000000000000000000000000777"),
    "a kind": Query(kind="message.received"),
    "the last events": Query(),
}


async def fill(engine: AsyncEngine, events: int) -> None:
    """Write so many events."""
    store = Store(engine)
    for start in range(0, events, _BATCH):
        await store.write(list(_history(start, min(start + _BATCH, events))))
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE"))


async def measure(engine: AsyncEngine) -> dict[str, float]:
    """Return the milliseconds that each search takes, the median of several."""
    asked = {name: partial(search, engine, query) for name, query in QUERIES.items()}
    asked["a conversation"] = partial(conversation, engine, "+14150000123", SHOP, 100)
    return {name: await _median_ms(ask) for name, ask in asked.items()}


async def plan(engine: AsyncEngine, query: Query) -> list[str]:
    """Return the database's plan for `query`."""
    statement = search_statement(query).compile(engine.sync_engine, compile_kwargs={"render_postcompile": True})
    values = tuple(statement.params[name] for name in statement.positiontup or ())
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN (ANALYZE, COSTS OFF)"
    async with engine.connect() as connection:
        return [str(row[-1]) for row in await connection.exec_driver_sql(f"{explain} {statement}", values)]


async def _median_ms(ask: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(_TRIES):
        began = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - began) * 1000)
    return sorted(times)[_TRIES // 2]


def _history(start: int, end: int) -> Iterator[Rows]:
    for number in range(start, end):
        at = _BEGIN_MS + number * 100
        person = f"+1415{number * 7919 % _PEOPLE:07}"
        body = f"MessageSid=SM{number:032}&SmsStatus=received&From=%2B{person[1:]}&To=%2B{SHOP[1:]}&Body=message+{number}"
        event = Event(
            id=new_event_id(at),
            kind="message.received" if number % 10 else "message.status",
            key=f"{person}:{SHOP}",
            dedupe_key="",
            received_at=at,
            account=ACCOUNT,
            content_type="application/x-www-form-urlencoded",
            target="/twilio",
            body=body.encode(),
        )
        yield rows_of(
            SettledEvent(event=event, outcome="done", topic="messages", attempts=1, settled_at=at + 5), BodyPolicy.KEEP
        )
