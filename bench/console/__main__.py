"""`python -m bench.console`: the time of each page over a long ledger, and the memory of the console."""

import asyncio
import re
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import aiohttp
import typer
from rich.console import Console
from rich.table import Table

from bench.ledger.searches import SHOP, fill
from bench.system.machine import assign_cores, pin
from bench.system.private_redis import PrivateRedis, private_redis
from hookline_cli.ledger.database import with_engine
from hookline_processor.ledger.database.migrate import migrate
from hookline_processor.ledger.settings import LedgerSettings
from hookline_shared.validation import read_variables
from tests.support.processes.command import Command
from tests.support.servers.postgres_server import PostgresServer
from tests.support.storage.dead_letters import write_dead_letters

_TO_REACH_MS, _TO_REACH_MB = 300, 80
_LINK: Final = re.compile(r"(http://[^/]+)(/enter\S+)")
_LETTERS: Final = 2000
_PAGES: Final = {
    "overview": "/",
    "dead letters": "/dead",
    "waiting": "/waiting",
    "outbox": "/outbox",
    "services": "/services",
    "conversations": "/conversations",
    "search by a person's number": "/conversations?number=14150000123",
    "search by our own number": f"/conversations?number={SHOP[1:]}",
    "search by a SID": "/conversations?sid=SM00000000000000000000000000000777",
    "search by kind": "/conversations?kind=message.status",
    "event by a SID": "/events/SM00000000000000000000000000000777",
}


def main(
    history: Annotated[int, typer.Option(min=1000, help="Events in the ledger.")] = 1_000_000,
    postgres: Annotated[bool, typer.Option("--postgres", help="In PostgreSQL instead of SQLite.")] = False,
    times: Annotated[int, typer.Option(min=5, help="Requests of each page.")] = 20,
) -> None:
    """Measure the console."""
    cores = assign_cores()
    pin(0, cores.rest)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="hookline-bench-")))
        redis = stack.enter_context(private_redis(folder, cores.rest))
        url = stack.enter_context(PostgresServer()).new_database() if postgres else f"sqlite:///{folder}/ledger.db"
        _fill(url, history, redis)
        command = Command(folder, redis.url, {"HOOKLINE_LEDGER_URL": url, "CONSOLE_PORT": "0"})
        process = stack.enter_context(command.started("console"))
        assert process.stdout is not None
        found = next(match for line in process.stdout if (match := _LINK.search(line)))
        measured = asyncio.run(_measure(found[1], found[2], times))
        _show(Console(), measured, _memory_mb(process.pid))


def _fill(url: str, history: int, redis: PrivateRedis) -> None:
    settings = read_variables(LedgerSettings, {"HOOKLINE_LEDGER_URL": url, "DATABASE_COMMAND_TIMEOUT_S": 120})
    with_engine(settings, migrate)
    with_engine(settings, lambda engine: fill(engine, history))
    write_dead_letters(redis.client, _LETTERS)


async def _measure(base: str, link: str, times: int) -> dict[str, list[float]]:
    """Return the milliseconds of each request by page."""
    found: dict[str, list[float]] = {}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        (await session.get(base + link)).raise_for_status()
        for name, path in _PAGES.items():
            await _time(session, base + path)  # connects, and reads what is read once
            found[name] = sorted([await _time(session, base + path) for _ in range(times)])
    return found


async def _time(session: aiohttp.ClientSession, url: str) -> float:
    began = time.perf_counter()
    async with session.get(url) as answer:
        answer.raise_for_status()
        await answer.read()
    return (time.perf_counter() - began) * 1000


def _memory_mb(pid: int) -> float:
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(kilobytes) / 1024


def _show(console: Console, measured: dict[str, list[float]], memory_mb: float) -> None:
    table = Table("page", "median, ms", "p95, ms")
    for name, times in measured.items():
        p95 = times[int(len(times) * 0.95) - 1]
        table.add_row(name, f"{times[len(times) // 2]:.0f}", _verdict(f"{p95:.0f}", reached=p95 <= _TO_REACH_MS))
    console.print(table)
    console.print("memory at most, MB:", _verdict(f"{memory_mb:.0f}", reached=memory_mb <= _TO_REACH_MB))


def _verdict(text: str, *, reached: bool) -> str:
    colour = "green" if reached else "red"
    return f"[{colour}]{text}[/{colour}]"


if __name__ == "__main__":
    typer.run(main)
