"""What `hookline doctor` says about the database of the ledger, and about alerts that fire."""

from pathlib import Path

from hookline_cli.doctor.checks.ledger import check_ledger
from hookline_cli.doctor.checks.ports import _alerts
from hookline_cli.doctor.finding import Level
from hookline_cli.ledger.database import with_engine
from hookline_cli.status.service_alert import ServiceAlert
from hookline_processor.ledger.database.migrate import migrate
from tests.support.processes.findings import subject
from tests.support.processes.status_snapshots import report
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.storage.ledger import ledger_settings


async def test_missing_tables_are_a_problem(tmp_path: Path) -> None:
    """With what to run, and the true consequence; a file that is missing is not created."""
    file = tmp_path / "ledger.db"
    url = f"sqlite:///{file}"
    (missing,) = await check_ledger(subject({"HOOKLINE_LEDGER_URL": url}))
    assert missing.level is Level.PROBLEM
    assert "hookline ledger migrate" in missing.remedy
    assert not file.exists()
    file.touch()
    (empty,) = await check_ledger(subject({"HOOKLINE_LEDGER_URL": url}))
    assert (empty.level, "tables are missing: run `hookline ledger migrate`" in empty.found) == (Level.PROBLEM, True)
    assert "history is not written" in empty.meaning


def test_tables_of_this_version_are_fine(tmp_path: Path) -> None:
    """So is an installation without a ledger."""
    import asyncio  # noqa: PLC0415 - the commands run their own loop

    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with_engine(ledger_settings(url), migrate)
    (found,) = asyncio.run(check_ledger(subject({"HOOKLINE_LEDGER_URL": url})))
    assert found.level is Level.OK
    assert asyncio.run(check_ledger(subject({}))) == []


async def test_database_that_is_away() -> None:
    """It is a problem, whose text says why."""
    url = f"postgresql://hookline@{LOOPBACK}:{free_port()}/ledger"
    (found,) = await check_ledger(subject({"HOOKLINE_LEDGER_URL": url, "DATABASE_CONNECT_TIMEOUT_S": "1"}))
    assert found.level is Level.PROBLEM
    assert "The database request failed" in found.found


def test_firing_alert_is_a_finding() -> None:
    """Doctor does not say that all is well while a service fires an alert."""
    text = "It is open. Cause: The tables are missing. Impact: History waits. Fix: Migrate. Runbook: docs/runbook.md"
    firing = ServiceAlert("breaker_open", "warning", "database", "2026-11-30T00:00:00Z", text)
    (found,) = _alerts(report("processor", alerts=(firing,)))
    assert found.level is Level.WARNING
    assert found.found == "processor fires breaker_open database (warning): It is open. Cause: The tables are missing."
    assert (found.meaning, found.remedy) == ("History waits.", "Migrate. Runbook: docs/runbook.md")
