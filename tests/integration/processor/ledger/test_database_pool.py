"""The metrics of the pool of connections to the database."""

import asyncio
from pathlib import Path

from hookline_processor.ledger.database.engine import make_engine, transaction
from hookline_processor.ledger.database.pool_gauges import count_waiting
from tests.support.storage.ledger import ledger_settings
from tests.support.waiting import until


async def test_who_waits_for_a_connection_is_counted(tmp_path: Path) -> None:
    """Not who makes one or uses one, but who has none since all are in use; that is what `pool_saturated` watches."""
    engine = make_engine(ledger_settings(f"sqlite:///{tmp_path}/l.db", DATABASE_POOL_SIZE=1, DATABASE_POOL_OVERFLOW=0))
    release = asyncio.Event()

    async def use() -> None:
        async with transaction(engine):
            await release.wait()

    first = asyncio.create_task(use())
    await until(
        lambda: "Connections in pool: 0" in engine.pool.status() and "out connections: 1" in engine.pool.status(),
        "it is in use",
    )
    assert count_waiting() == 0
    second = asyncio.create_task(use())
    await until(lambda: count_waiting() == 1, "one waits")
    release.set()
    await asyncio.gather(first, second)
    assert count_waiting() == 0
    await engine.dispose()
