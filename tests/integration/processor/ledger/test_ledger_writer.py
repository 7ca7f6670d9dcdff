"""The writer between a real Redis and a real database: nothing lost, nothing doubled, nobody held up."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_processor.ledger.database.engine import make_engine
from hookline_processor.ledger.database.errors import DatabaseUnavailableError
from hookline_processor.ledger.database.migrate import migrate
from hookline_processor.ledger.database.pool_gauges import export_pool_metrics
from hookline_processor.ledger.database.store import Store
from hookline_processor.ledger.entry import SettledEvent
from hookline_processor.ledger.rows.rows import Rows, rows_of
from hookline_processor.ledger.writer import LedgerWriter, WriterLimits
from hookline_shared.breaker import Breaker, State
from hookline_shared.clock import SystemClock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.ledger import LedgerStreams
from tests.support.observability.logbook import Logbook
from tests.support.servers.postgres_server import PostgresServer
from tests.support.storage.keys import keys
from tests.support.storage.ledger import content, ledger_settings, put_entry
from tests.support.waiting import until

ON_UVLOOP = True

OWNED = [2, 5]

BATCH = 20

Put = Callable[..., None]


@pytest.fixture
def put(redis_client: "redis.Redis") -> Put:
    """Return a writer of ledger entries, as the settling script writes them."""
    return partial(put_entry, redis_client)


@pytest.fixture
def make(broker: RedisConnectionManager, logbook: Logbook) -> Callable[[AsyncEngine], LedgerWriter]:
    """Return a maker of writers for the owned partitions."""

    def make(engine: AsyncEngine, timeout_s: float = 10, breaker: Breaker | None = None, batch: int = BATCH) -> LedgerWriter:
        clock = SystemClock()
        guard = breaker or Breaker("database", clock, logbook.logger, fail_max=3, counts=is_outage)
        limits = WriterLimits(batch, timeout_s, BodyPolicy.KEEP)
        return LedgerWriter(LedgerStreams(broker), Store(engine), guard, lambda: OWNED, limits, clock, logbook.logger)

    return make


def is_outage(error: BaseException) -> bool:
    return isinstance(error, DatabaseUnavailableError)


def waiting(client: "redis.Redis") -> int:
    return sum(int(client.xlen(keys.ledger(number))) for number in range(8))


async def sids(engine: AsyncEngine) -> list[str]:
    return [row["sid"] for row in await content(engine, "messages")]


async def move_all(writer: LedgerWriter) -> None:
    while await writer.pass_once():
        pass


async def test_everything_owned_is_moved(database: AsyncEngine, put: Put, make: Any, redis_client: "redis.Redis") -> None:
    """Batch after batch, what is in the streams of the owned partitions goes to the tables; the others' stays."""
    for number in range(50):
        put(f"SM{number:02}", OWNED[number % 2])
    put("SM99", partition=7)
    writer = make(database)
    await move_all(writer)
    assert await sids(database) == [f"SM{number:02}" for number in range(50)]
    assert waiting(redis_client) == 1
    assert writer.warnings() == []


async def test_crash_between_commit_and_removal(
    database: AsyncEngine, put: Put, make: Any, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written and not yet removed is written again by the next, and is there once."""
    for number in range(2):
        put(f"SM{number}", OWNED[number])

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(LedgerStreams, "remove", die)
        with pytest.raises(asyncio.CancelledError):
            await make(database).pass_once()
    before = await content(database, "events"), await content(database, "messages")
    assert waiting(redis_client) == 2
    await move_all(make(database))
    assert (await content(database, "events"), await content(database, "messages")) == before
    assert waiting(redis_client) == 0


async def test_poison_is_isolated(
    database: AsyncEngine, put: Put, make: Any, logbook: Logbook, redis_client: "redis.Redis"
) -> None:
    """A row that the database refuses is stored without its content, and the others as they are."""
    await forbid(database, "messages", "body")
    for number in range(10):
        put(f"SM{number}", body="poison" if number == 4 else "fine")
    writer = make(database)
    await move_all(writer)
    assert await sids(database) == [f"SM{number}" for number in range(10) if number != 4]
    assert len(await content(database, "events")) == 10
    assert waiting(redis_client) == 0
    line = logbook.find("the database accepted an event only without its content")
    assert line
    assert "poison" not in str(line)


async def test_event_of_which_no_rows_can_be_made(
    database: AsyncEngine, put: Put, make: Any, logbook: Logbook, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours in reading one event neither stops the service nor holds up the others."""

    def fail_once(settled: SettledEvent, bodies: BodyPolicy) -> Rows:
        if b"trap" in settled.event.body:
            raise RuntimeError("trap")
        return rows_of(settled, bodies)

    monkeypatch.setattr("hookline_processor.ledger.writer.rows_of", fail_once)
    for number in range(3):
        put(f"SM{number}", body="trap" if number == 1 else "fine")
    await move_all(make(database))
    assert await sids(database) == ["SM0", "SM2"]
    assert len(await content(database, "events")) == 3
    assert waiting(redis_client) == 0
    assert logbook.find("an event could not be converted to rows")


async def test_what_is_never_taken_is_set_aside(
    database: AsyncEngine, put: Put, make: Any, logbook: Logbook, redis_client: "redis.Redis"
) -> None:
    """An event that the database does not take at all stays in Redis, loudly, and holds up none behind it."""
    async with database.begin() as connection:
        await connection.execute(text("CREATE UNIQUE INDEX only_one ON events (account)"))
    put("SM1")
    writer = make(database)
    await writer.pass_once()
    put("SM2")
    await writer.pass_once()
    async with database.begin() as connection:
        await connection.execute(text("DROP INDEX only_one"))
    put("SM3")
    await writer.pass_once()
    assert await sids(database) == ["SM1", "SM3"]
    assert waiting(redis_client) == 1
    assert logbook.find("the database refuses an event, which stays in Redis")
    assert "refuses some events" in writer.warnings()[0]
    await make(database).pass_once()
    assert await sids(database) == ["SM1", "SM2", "SM3"]


async def test_nothing_is_left_behind_what_is_set_aside(
    database: AsyncEngine, put: Put, make: Any, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before an event that is set aside leaves Redis, even if the first removal was lost."""
    async with database.begin() as connection:
        await connection.execute(text("CREATE UNIQUE INDEX only_two ON events (account, attempts)"))
    for sid in ("SM1", "SM2"):
        put(sid)

    async def lose(*_: object) -> None:
        raise BrokerUnavailableError("cut")

    writer = make(database)
    with monkeypatch.context() as patch:
        patch.setattr(LedgerStreams, "remove", lose)
        with pytest.raises(BrokerUnavailableError):
            await writer.pass_once()
    assert waiting(redis_client) == 2
    await writer.pass_once()
    assert await sids(database) == ["SM1"]
    assert waiting(redis_client) == 1


async def test_few_are_read_before_their_size_is_known(database: AsyncEngine, put: Put, make: Any) -> None:
    """A start among events of 1 MiB must not take a batch of them into memory: it would die of them, and start again."""
    for number in range(100):
        put(f"SM{number:02}")
    writer = make(database, batch=1000)
    moved = []
    while found := await writer.pass_once():
        moved.append(found)
    assert moved[0] <= 32
    assert sum(moved) == 100


async def test_idle_writer_waits(database: AsyncEngine, put: Put, make: Any) -> None:
    """Whoever has moved all waits for more, with a batch of one as well; whoever has not goes on at once."""
    writer = make(database, batch=1)
    put("SM1")
    assert [await writer._step() > 0 for _ in range(2)] == [False, True]


async def test_without_tables_it_waits_for_somebody_to_migrate(
    database_url: str, put: Put, make: Any, logbook: Logbook, redis_client: "redis.Redis"
) -> None:
    """A database without the tables is a warning with the command to run; once it has them, the writer goes on by itself."""
    engine = make_engine(ledger_settings(database_url))
    writer, supervisor = make(engine), Supervisor(logbook.logger)
    put("SM1")
    await writer.start(supervisor)
    await until(lambda: logbook.find("the ledger is waiting for its database"), "it waits")
    assert "hookline ledger migrate" in writer.warnings()[0]
    assert waiting(redis_client) == 1
    await migrate(engine)
    await until(lambda: not waiting(redis_client), "it goes on")
    await until(lambda: not writer.warnings(), "it is well")
    await writer.stop()
    await supervisor.close()
    assert supervisor.failure is None
    assert await sids(engine) == ["SM1"]
    await engine.dispose()


@pytest.mark.parametrize("fault", ["kill", "pause"])
async def test_server_that_goes_and_comes(
    own_postgres: PostgresServer, put: Put, make: Any, logbook: Logbook, redis_client: "redis.Redis", fault: str
) -> None:
    """A server that dies or stalls opens the breaker; when it is back, a probe closes it and the same pool goes on."""
    engine = make_engine(
        ledger_settings(own_postgres.new_database(), DATABASE_COMMAND_TIMEOUT_S="0.3", DATABASE_CONNECT_TIMEOUT_S="0.3")
    )
    export_pool_metrics(engine)
    await migrate(engine)
    breaker = Breaker("database", SystemClock(), logbook.logger, fail_max=3)
    writer, supervisor = make(engine, 0.5, breaker), Supervisor(logbook.logger)
    await writer.start(supervisor)
    put("SM1")
    await until(lambda: not waiting(redis_client), "it works")
    await asyncio.to_thread(own_postgres.kill if fault == "kill" else own_postgres.pause)
    for number in range(2, 60):
        put(f"SM{number}")
    await until(lambda: breaker.state is State.OPEN, "the breaker opens")
    assert "waits in Redis" in writer.warnings()[0]
    await asyncio.to_thread(own_postgres.start if fault == "kill" else own_postgres.resume)
    await until(lambda: not waiting(redis_client), "all is written")
    await until(lambda: breaker.state is State.CLOSED, "the breaker closes")
    await writer.stop()
    await supervisor.close()
    assert sorted(await sids(engine)) == sorted(f"SM{number}" for number in range(1, 60))
    assert len(await content(engine, "events")) == 59
    await engine.dispose()


async def test_database_too_slow_for_a_batch_gets_fewer(
    postgres_server: PostgresServer, put: Put, make: Any, logbook: Logbook, redis_client: "redis.Redis"
) -> None:
    """What does not finish in time is not tried as it is for ever: a slow database takes its history in smaller pieces."""
    engine = make_engine(ledger_settings(postgres_server.new_database()))
    await migrate(engine)
    async with engine.begin() as connection:
        wait = "BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END"
        await connection.execute(text(f"CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS '{wait}'"))
        await connection.execute(text("CREATE TRIGGER wait BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION wait()"))
    for number in range(BATCH):
        put(f"SM{number:02}")
    writer, supervisor = make(engine, 0.15), Supervisor(logbook.logger)
    await writer.start(supervisor)
    await until(lambda: not waiting(redis_client), "all is written")
    await writer.stop()
    await supervisor.close()
    assert logbook.find("the ledger is waiting for its database")
    assert len(await content(engine, "events")) == BATCH
    await engine.dispose()


async def test_unreachable_database_is_no_error_of_the_processor(put: Put, make: Any) -> None:
    """Without a database the pass says why."""
    engine = make_engine(ledger_settings("postgresql://u@127.0.0.1:1/ledger"))
    put("SM1")
    with pytest.raises(DatabaseUnavailableError, match="request failed"):
        await make(engine).pass_once()
    await engine.dispose()


async def forbid(database: AsyncEngine, table: str, column: str) -> None:
    """Let the database refuse the text "poison", as a constraint of the user's own would."""
    statement = f"ALTER TABLE {table} ADD CONSTRAINT no_poison CHECK ({column} <> 'poison')"
    if database.dialect.name == "sqlite":
        raised = "SELECT RAISE(ABORT, 'refused')"
        statement = f"CREATE TRIGGER no_poison BEFORE INSERT ON {table} WHEN NEW.{column} = 'poison' BEGIN {raised}; END"
    async with database.begin() as connection:
        await connection.execute(text(statement))
