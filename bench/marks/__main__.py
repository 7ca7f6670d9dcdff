"""`python -m bench.marks`: the memory of dedupe marks in Redis, and the time that it needs to append and mark an event."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from bench.drain.backlog import append
from bench.load import webhooks
from bench.report.report import show_machine
from bench.system.machine import assign_cores, describe, pin
from bench.system.private_redis import PrivateRedis, private_redis
from hookline_shared.errors import HooklineError
from hookline_shared.redis_keys import Keys
from hookline_shared.topics import MESSAGES

_PARTITIONS: Final = 8
_STEP: Final = 50_000
"""Events whose streams are in memory at a time."""
_KEYS: Final = Keys()
_ID: Final = "0" * 32
_WINDOW_MS: Final = 3_600_000


class Figures(NamedTuple):
    """After so many marks: bytes for each, and microseconds of CPU time of Redis for each event of the last step."""

    marks: int
    mark_bytes: float
    append_us: float | None = None


def main(marks: Annotated[int, typer.Option(min=1000, help="Events to append and mark.")] = 1_000_000) -> None:
    """Measure the marks of events that were appended, and keys of their own, as version 0.1 had them."""
    console = Console()
    cores = assign_cores()
    pin(0, cores.rest)
    try:
        with TemporaryDirectory(prefix="hookline-bench-") as directory, private_redis(Path(directory), cores.rest) as redis:
            show_machine(console, describe(redis.version(), cores))
            table = Table("", "marks", "bytes each", "CPU µs of Redis per event")
            for figures in fill(redis, marks):
                _add(table, "fields of small hashes", figures)
            redis.empty()
            _add(table, "a key each", fill_keys(redis, min(marks, 2 * _STEP)))
            console.print(table)
    except HooklineError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


def fill(redis: PrivateRedis, marks: int) -> Iterator[Figures]:
    """Append and mark `marks` events, and delete their streams. Yield figures after the first step and about each doubling."""
    empty, shown = _used_memory(redis), _STEP
    for done in range(0, marks, _STEP):
        events = min(_STEP, marks - done)
        before = _cpu_us(redis)
        asyncio.run(append(redis.url, _PARTITIONS, events, first=done))
        append_us = (_cpu_us(redis) - before) / events
        redis.client.delete(*(_KEYS.topic(partition, MESSAGES) for partition in range(_PARTITIONS)))
        total = done + events
        if total >= min(shown, marks):
            shown = total * 2
            yield Figures(total, (_used_memory(redis) - empty) / total, append_us)


def fill_keys(redis: PrivateRedis, marks: int) -> Figures:
    """Set a key for each of `marks` events."""
    empty = _used_memory(redis)
    pipe = redis.client.pipeline(transaction=False)
    for number in range(marks):
        name = f"{webhooks.ACCOUNT}:message.received:{webhooks.message_sid(number)}"
        pipe.set(_KEYS.seen(number % _PARTITIONS, name), _ID, px=_WINDOW_MS)
    pipe.execute()
    return Figures(marks, (_used_memory(redis) - empty) / marks)


def _used_memory(redis: PrivateRedis) -> int:
    return int(redis.client.info("memory")["used_memory"])


def _cpu_us(redis: PrivateRedis) -> float:
    """Return the CPU time that the server has used."""
    found = redis.client.info("cpu")
    return 1e6 * float(found["used_cpu_user"] + found["used_cpu_sys"])


def _add(table: Table, form: str, figures: Figures) -> None:
    append_us = "" if figures.append_us is None else f"{figures.append_us:.1f}"
    table.add_row(form, f"{figures.marks:,}", f"{figures.mark_bytes:.0f}", append_us)


if __name__ == "__main__":
    typer.run(main)
