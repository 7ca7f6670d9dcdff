"""A million events that wait for times spread over half an hour, and one processor, which is killed and started again.

`make many-waiting` prints how late they are attempted, what others notice, and the memory; without it, this is skipped.
"""

import asyncio
import os
import random
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
import redis

from hookline_shared.event import BODY_FIELD, TEXT_FIELDS, Event, text_values
from hookline_shared.partitions import partition_of
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.consume import WAITING
from hookline_shared.topics import MESSAGES
from tests.acceptance.support.pair import RECORD, processor_settings
from tests.acceptance.support.records import Line, Record
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.processor.events import event
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS
from tests.support.waiting import until

pytestmark = [
    pytest.mark.skipif("HOOKLINE_WAITING_EVENTS" not in os.environ, reason="run make many-waiting"),
    pytest.mark.timeout(0),
]

EVENTS = int(os.environ.get("HOOKLINE_WAITING_EVENTS", "0"))
SPREAD_S = EVENTS / 555
"""All are due within so many seconds: half an hour for a million."""
HEAD_START_S = 10 + EVENTS / 5000
"""Within this time, all are attempted first, and wait."""
PER_SECOND = 20
"""Events of other senders that come meanwhile."""
BATCH = 5000
MOST_MEMORY_MB = 100
SETTINGS = {
    "PROCESSOR_HANDLERS": "tests.acceptance.support.handlers.waiting_handlers:handlers",
    "PROCESSOR_LEASE_S": "3",
}


class Experiment:
    """One processor over one Redis with many waiting events. `peak_mb` is the most memory of the processor."""

    def __init__(self, services: Services, settings: dict[str, str], client: "redis.Redis", record: Path) -> None:
        self._services, self._settings, self._client = services, settings, client
        self.record = Record(record)
        self.peak_mb = 0.0
        self._others = count()
        self._processor: ServiceProcess | None = None

    async def start(self) -> None:
        """Start the processor, as a new program: a forked one would share memory with the test."""
        self._processor = self._services.processor(self._settings, forked=False)
        await self._processor.start()

    async def kill(self) -> None:
        """Kill the processor."""
        processor, self._processor = self._processor, None
        assert processor is not None
        await processor.kill()

    def put(self, bodies: Sequence[str], sender: str) -> None:
        """Append a message for each of `bodies`, each from a sender of its own."""
        with self._client.pipeline(transaction=False) as pipeline:
            for number, body in enumerate(bodies):
                one = _message(body, f"AC1/{sender}{number}")
                fields: Any = dict(zip(TEXT_FIELDS, text_values(one), strict=True)) | {BODY_FIELD: one.body}
                pipeline.xadd(keys.topic(partition_of(one.key, PARTITIONS), MESSAGES), fields)
            pipeline.execute()

    async def meanwhile(self) -> None:
        """Send messages of other senders, and look at the processor's memory, until cancelled."""
        while True:
            self.put([f"fresh:{time.time()}"], f"other{next(self._others) % 5000}:")
            if self._processor is not None:
                self.peak_mb = max(self.peak_mb, _resident_mb(self._processor.pid))
            await asyncio.sleep(1 / PER_SECOND)

    def waiting(self) -> int:
        """Return how many events wait; none before the processor has made its consumer groups."""
        streams = [keys.topic(number, MESSAGES) for number in range(PARTITIONS)]
        try:
            consumers = [one for stream in streams for one in self._client.xinfo_consumers(stream, GROUP)]
        except redis.ResponseError:
            return 0
        return sum(one["pending"] for one in consumers if one["name"].decode() == WAITING)

    def left(self) -> int:
        """Return how many events are not settled."""
        return sum(self._client.xlen(keys.topic(number, MESSAGES)) for number in range(PARTITIONS))

    def memory(self) -> int:
        """Return the bytes that Redis uses."""
        return int(self._client.info("memory")["used_memory"])


def _message(body: str, key: str) -> Event:
    made = event(key=key, body=urlencode({"Body": body}).encode())
    return msgspec.structs.replace(made, received_at=round(time.time() * 1000))


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _summary(lines: list[Line]) -> str:
    after = sorted(line["after"] * 1000 for line in lines)
    share = quantiles(after, n=100)
    return f"p50 {share[49]:.1f} ms, p99 {share[98]:.1f} ms, most {after[-1]:.0f} ms, of {len(after)}"


async def test_a_million_wait(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """All are attempted at their times, others hardly notice, and memory stays what it was."""
    record = tmp_path / RECORD
    with own_redis.client as client:
        experiment = Experiment(services, processor_settings(own_redis.url, record) | SETTINGS, client, record)
        first_due = time.time() + EVENTS / 20_000 + HEAD_START_S
        due = [first_due + random.random() * SPREAD_S for _ in range(EVENTS)]
        for start in range(0, EVENTS, BATCH):
            experiment.put([f"until:{at:.3f}" for at in due[start : start + BATCH]], f"waits{start}:")
        before = experiment.memory()
        await experiment.start()
        while experiment.waiting() < EVENTS:
            assert time.time() < first_due, "this machine is too slow: some are due before all wait"
            await asyncio.sleep(0.1)
        each = (experiment.memory() - before) / EVENTS
        meanwhile = asyncio.create_task(experiment.meanwhile())
        await asyncio.sleep(first_due + 0.4 * SPREAD_S - time.time())
        await experiment.kill()
        await experiment.start()
        await asyncio.sleep(first_due + SPREAD_S - time.time())
        await until(lambda: experiment.left() < PER_SECOND and experiment.waiting() == 0, "all are attempted")
        meanwhile.cancel()
    waited = experiment.record.lines(word="until:")
    print(f"\n{EVENTS} events, due within {SPREAD_S:.0f} s: late by {_summary(waited)}")
    print(f"others, received to started: {_summary(experiment.record.lines(word='fresh:'))}")
    print(f"memory of the processor at most {experiment.peak_mb:.0f} MB; Redis: {each:.0f} bytes more for each")
    assert len({line["key"] for line in waited}) == EVENTS
    assert experiment.peak_mb < MOST_MEMORY_MB
