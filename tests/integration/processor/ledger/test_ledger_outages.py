"""The writer of the ledger without its database, or with a slow one."""

import asyncio
from typing import Any

import pytest
import redis
from sqlalchemy import text

from hookline_processor.ledger.database.engine import make_engine
from hookline_processor.ledger.database.errors import DatabaseUnavailableError
from hookline_processor.ledger.database.migrate import migrate
from hookline_processor.ledger.database.pool_gauges import export_pool_metrics
from hookline_shared.breaker import Breaker, State
from hookline_shared.clock import SystemClock
from hookline_shared.lifecycle.service import Supervisor
from tests.support.observability.logbook import Logbook
from tests.support.servers.postgres_server import PostgresServer
from tests.support.storage.ledger import content, ledger_settings
from tests.support.storage.ledger_writers import BATCH, Put, sids, waiting
from tests.support.waiting import until

ON_UVLOOP = True


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
