"""How many events per second the processor settles: a backlog is laid down, then the processor is started on it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from bench.backlog import PARTITIONS, Backlog
from bench.bed import Bed
from bench.errors import TooSlowError
from bench.figures import Drain, ProcessorFigures
from bench.machine import memory_mb
from bench.probes import is_ready
from bench.processes import Child, free_port, module, running
from bench.usage import read_usage

STARTS: Final = 3
_LOOK_S: Final = 0.02
_STALLED_S: Final = 15.0


class ProcessorRounds:
    """Lays down `events` events at a time and times their settlement."""

    def __init__(self, bed: Bed, events: int) -> None:
        self._bed = bed
        self._events = events
        self._backlog = Backlog(bed.redis)

    def run(self, rounds: int) -> ProcessorFigures:
        """Measure `rounds` backlogs.

        Raises:
            BenchError: if the processor ends, or settles nothing for 15 s.

        """
        figures = ProcessorFigures(events=self._events, drains=[], ready_s=self._starts())
        for number in range(1, rounds + 1):
            self._bed.journal.doing(f"processor, round {number}/{rounds}: appending {self._events:,} events")
            self._backlog.fill(self._events)
            self._bed.journal.doing(f"processor, round {number}/{rounds}: settling them")
            drain = self._round()
            figures.drains.append(drain)
            self._bed.journal.note(f"round {number}/{rounds}: processor {drain.rate:>8,.0f} events/s{_tell_dead(drain)}")
        return figures

    def _starts(self) -> list[float]:
        """Start the processor a few times with nothing to do: how long until it is ready?"""
        self._bed.journal.doing("starting the processor")
        self._bed.redis.empty()
        ready = []
        for _ in range(STARTS):
            with self._processor() as (processor, admin_port):
                ready.append(processor.wait_until(partial(is_ready, admin_port)))
        self._bed.journal.note(f"processor ready after {ready[-1]:.2f} s")
        return ready

    def _round(self) -> Drain:
        with self._processor() as (processor, _):
            processes = {"service": processor.pid, "redis": self._bed.redis.pid}
            left = self._wait_below(self._events, processor)
            began, before = time.perf_counter(), read_usage(processes, self._bed.cores.named())
            self._wait_settled(left, processor)
            seconds = time.perf_counter() - began
            usage = read_usage(processes, self._bed.cores.named()).since(before, seconds)
            memory = memory_mb(processor.pid, "VmHWM")
        dead = self._backlog.dead()
        return Drain(events=left, seconds=seconds, busy=usage.busy, idle=usage.idle, memory_mb=memory, dead=dead)

    def _wait_settled(self, left: int, processor: Child) -> None:
        while left:
            left = self._wait_below(left, processor)
        deadline = time.perf_counter() + _STALLED_S
        while not self._backlog.is_settled():
            self._pause(processor, deadline)

    def _wait_below(self, entries: int, processor: Child) -> int:
        """Wait until fewer than `entries` are left, and give how many."""
        deadline = time.perf_counter() + _STALLED_S
        while (left := self._backlog.entries()) >= entries:
            self._pause(processor, deadline)
        return left

    def _pause(self, processor: Child, deadline: float) -> None:
        processor.check()
        if time.perf_counter() > deadline:
            raise TooSlowError("The processor settled nothing", _STALLED_S, processor.written())
        time.sleep(_LOOK_S)

    @contextmanager
    def _processor(self) -> Iterator[tuple[Child, int]]:
        admin_port = free_port()
        settings = {
            "REDIS_URL": self._bed.redis.url,
            "HOOKLINE_PARTITIONS": str(PARTITIONS),
            "PROCESSOR_HANDLERS": "bench.noop:handlers",
            "PROCESSOR_ADMIN_PORT": str(admin_port),
            "LOG_LEVEL": "warning",
        }
        with running("processor", module("processor"), self._bed.directory, self._bed.cores.service, settings) as child:
            yield child, admin_port


def _tell_dead(drain: Drain) -> str:
    return f", [red]{drain.dead} dead letters[/red]" if drain.dead else ""
