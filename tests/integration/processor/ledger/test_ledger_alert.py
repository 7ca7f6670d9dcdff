"""What the alert about the database says while the tables of the ledger are missing."""

from pathlib import Path

import pytest

from hookline_processor.ledger.database.engine import close, make_engine
from hookline_processor.ledger.database.errors import DatabaseUnavailableError
from hookline_processor.ledger.database.store import Store
from hookline_shared.alerts.settings import AlertSettings
from hookline_shared.alerts.watcher import AlertWatcher
from hookline_shared.breaker import Breaker
from tests.support.observability.logbook import Logbook
from tests.support.storage.ledger import ledger_settings
from tests.support.time.manual_clock import ManualClock


async def test_missing_table_is_the_cause(tmp_path: Path) -> None:
    """`hookline status` and /readyz have the command that creates the tables, and nothing about the spool."""
    clock, logbook = ManualClock(), Logbook()
    breaker = Breaker("database", clock, logbook.logger, fail_max=1)
    engine = make_engine(ledger_settings(f"sqlite:///{tmp_path / 'ledger.db'}"))
    with pytest.raises(DatabaseUnavailableError), breaker.guard():
        await Store(engine).probe()
    await close(engine)
    measures = {"breaker_open": lambda _now: {"database": 1.0}}
    watcher = AlertWatcher(AlertSettings(), "processor", measures, clock, logbook.logger)
    watcher.evaluate()
    await clock.advance(60)
    watcher.evaluate()
    (line,) = watcher.warnings()
    assert "Cause: The ledger's tables are missing: run `hookline ledger migrate`. Impact: Only the ledger is affected" in line
    assert "spool" not in line
    breaker.close()
