"""The cost of one event in Redis, in CPU time and memory, by the number of events per script call."""

import asyncio
import time
from typing import Final

from bench.drain.backlog import append
from bench.drain.hookline import HooklineDrain, Setting
from bench.drain.stopwatch import Stopwatch
from bench.environment import Environment
from bench.report.figures import Depth, OperationFigures, Operations

_EVENTS: Final = 8_000
_PARTITIONS: Final = 1
_BATCHES: Final = (1, 8, 64, 200)
_DEPTHS: Final = (1, 2, 4, 8)
_USUAL_BATCH: Final = 64


def operations(environment: Environment) -> OperationFigures:
    """Append events in batches of several sizes, then let the processor settle some.

    Raises:
        BenchError: if the processor fails.

    """
    return OperationFigures(
        events=_EVENTS,
        appended=[_append(environment, batch) for batch in _BATCHES],
        settled_us=_settle(environment),
        depths=[_depth(environment, calls) for calls in _DEPTHS],
    )


def _append(environment: Environment, batch: int) -> Operations:
    environment.progress.doing(f"appending {_EVENTS:,} events, {batch} at a time")
    environment.redis.empty()
    before = _used_memory(environment)
    environment.redis.client.config_resetstat()
    asyncio.run(append(environment.redis.url, _PARTITIONS, _EVENTS, batch))
    appended = Operations(
        batch=batch,
        us_per_event=_script_us(environment) / _EVENTS,
        bytes_per_event=(_used_memory(environment) - before) / _EVENTS,
    )
    environment.progress.note(
        f"batches of {batch:>3}: {appended.us_per_event:.1f} us of Redis, {appended.bytes_per_event:,.0f} bytes each"
    )
    return appended


def _depth(environment: Environment, calls: int) -> Depth:
    """Append with `calls` calls under way at a time, each over a connection of its own."""
    environment.progress.doing(f"appending {_EVENTS:,} events, {calls} calls at a time")
    environment.redis.empty()
    began = time.perf_counter()
    asyncio.run(append(environment.redis.url, _PARTITIONS, _EVENTS, _USUAL_BATCH, calls))
    depth = Depth(calls=calls, per_second=_EVENTS / (time.perf_counter() - began))
    environment.progress.note(f"{calls} calls at a time: {depth.per_second:,.0f} events/s")
    return depth


def _settle(environment: Environment) -> float:
    """Return the microseconds of Redis that an event takes from being read to being settled."""
    drain = HooklineDrain(environment, Setting("settling", _EVENTS))
    drain.fill()
    environment.redis.client.config_resetstat()
    Stopwatch(environment).time(drain)
    return _all_us(environment) / _EVENTS


def _script_us(environment: Environment) -> float:
    """Return the microseconds that scripts took; what they call inside is counted by Redis twice, here once."""
    stats = environment.redis.client.info("commandstats")
    return float(sum(one["usec"] for name, one in stats.items() if name in {"cmdstat_evalsha", "cmdstat_eval"}))


def _all_us(environment: Environment) -> float:
    """Return the microseconds that scripts and reads of streams took."""
    stats = environment.redis.client.info("commandstats")
    return _script_us(environment) + float(stats.get("cmdstat_xreadgroup", {}).get("usec", 0))


def _used_memory(environment: Environment) -> int:
    return int(environment.redis.client.info("memory")["used_memory"])
