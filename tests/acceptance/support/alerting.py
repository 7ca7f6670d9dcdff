"""A pair that raises alerts at once, and what it says of them."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from hookline_shared.alerts.rules import RULES
from tests.acceptance.support.pair import Pair
from tests.support.processes.service_process import ServiceProcess
from tests.support.waiting import until_answer

MIB = 1 << 20
RUNBOOK = "https://wiki.example.com/hookline/runbook"
DISK = "disk"
"""The folder of spool and ledger."""
DISK_KIB = 64 * 1024
MOST_TAKEN = 400 * MIB
"""What is taken of a disk to make it low, in bytes: as much, or half of what is free. Half of that makes it low already."""

BOT = """
import asyncio, pathlib, time
from hookline import Handlers, Reject

handlers = Handlers()

@handlers.on("message.received", timeout=60)
async def handle(event, context):
    match event.body:
        case "block":
            time.sleep(0.8)
        case "reject":
            raise Reject("not for us")
        case "fail" if not pathlib.Path("go").exists():
            raise ValueError("not mended yet")
        case "gate":
            while not pathlib.Path("go").exists():
                await asyncio.sleep(0.01)
"""

THRESHOLDS = {
    "reply_slow": 0.1,
    "write_slow": 0.1,
    "spool_waiting": 0.2,
    "backlog_high": 0.01,
    "oldest_event_old": 0.3,
    "ledger_behind": 0.002,
}
"""Those that a test would not reach otherwise; all others are the usual ones."""
OF_THREE = {"reply_slow", "write_slow", "signatures_failing"}
"""What one or two of its kind do not make fire."""


def tables(folder: Path) -> str:
    """Return the TOML file: no hold times, and windows of a second, but where three of something must come within one.

    `folder` is on the disk that is to be low.
    """
    lines = []
    for name, rule in RULES.items():
        lines += [f"[alerts.{name}]", "for_s = 0"]
        if rule.limit.window_s:
            lines.append(f"window_s = {4 if name in OF_THREE else 1}")
        if name in THRESHOLDS:
            lines.append(f"threshold = {THRESHOLDS[name]}")
        if name == "disk_low":
            lines += [f"{key} = {(_free(folder) - _taken(folder) / 2) / MIB}" for key in ("threshold", "clear")]
    return "\n".join(lines)


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _taken(folder: Path) -> int:
    return min(MOST_TAKEN, _free(folder) // 2)


def logged_alerts(service: ServiceProcess, event: str) -> set[str]:
    """Return the alerts for which `event` was logged, each with its subject."""
    lines = (line for line in service.logs if line["event"] == event)
    return {f"{line['alert']} {_server(line['subject'])}".rstrip() for line in lines}


def _server(subject: str | None) -> str:
    """Return what an alert is of, Redis without its address."""
    return "redis" if subject and subject.startswith("redis") else subject or ""


async def both_say(pair: Pair, event: str, expected: dict[str, set[str]]) -> None:
    """Wait until each service has logged `event` of all the alerts that are expected of it."""

    async def missing() -> list[str]:
        services = {"ingress": pair.ingress, "processor": pair.processor}
        return [name for which, names in expected.items() for name in names - logged_alerts(services[which], event)]

    await until_answer(missing, lambda left: not left, f"all have said: {event}")


async def raised(service: ServiceProcess) -> list[str]:
    """Return the alerts that the metrics show as firing."""
    return [name for name, value in (await service.metrics()).items() if name.startswith("hookline_alert{") and value]


@contextmanager
def low_disk(folder: Path) -> Iterator[None]:
    """Take room on the disk."""
    with (folder / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, _taken(folder))
    yield
    (folder / "ballast").unlink()


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Lock an SQLite database against writes."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")
