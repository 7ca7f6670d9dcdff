"""Events that wait, for whatever reason, hold nothing that others need.

One partition, so that all share what there is; more events wait in each test than fit into memory.
"""

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlencode

import msgspec
import pytest
import redis

from hookline_shared.event import BODY_FIELD, TEXT_FIELDS, Event, text_values
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.consume import WAITING
from hookline_shared.topics import CALLS, MESSAGES, STATUSES
from tests.acceptance.support.pair import RECORD, Pair, processor_settings
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.processor.events import event
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.waiting import until

WINDOW: Final = 40
MANY: Final = 5 * WINDOW
FRESH: Final = 20
SLOTS: Final = 10
SETTINGS: Final = {
    "HOOKLINE_PARTITIONS": "1",
    "PROCESSOR_HANDLERS": "tests.acceptance.support.handlers.waiting_handlers:handlers",
    "PROCESSOR_WINDOW": str(WINDOW),
    "PROCESSOR_CONCURRENCY": str(SLOTS),
    "PROCESSOR_BACKOFF_BASE_S": "3600",
    "PROCESSOR_BACKOFF_MAX_S": "3600",
}


class Processing:
    """A processor, and what is in its only partition."""

    def __init__(self, processor: ServiceProcess, record: Path, client: "redis.Redis") -> None:
        self.processor = processor
        self.record = record
        self._client = client
        self._pair = Pair(processor, processor, record, client, cast(Any, None))

    def put(self, topic: str, bodies: Sequence[str], key: str = "", kind: str = "message.received") -> list[Event]:
        """Append an event for each of `bodies`, of a conversation of its own unless `key` is given."""
        events = [_event(kind, body, key or f"{topic}{number}{body}") for number, body in enumerate(bodies)]
        with self._client.pipeline(transaction=False) as pipeline:
            for one in events:
                fields: Any = dict(zip(TEXT_FIELDS, text_values(one), strict=True)) | {BODY_FIELD: one.body}
                pipeline.xadd(keys.topic(0, topic), fields)
            pipeline.execute()
        return events

    def done(self, beginning: str = "fresh") -> list[str]:
        """Return the bodies of the handled events that begin so, in order."""
        return [line["body"] for line in self._pair.lines() if line["body"].startswith(beginning)]

    def waiting(self, topic: str) -> int:
        """Return the number of events that wait."""
        consumers = self._client.xinfo_consumers(keys.topic(0, topic), GROUP)
        return sum(consumer["pending"] for consumer in consumers if consumer["name"].decode() == WAITING)

    def open_gate(self) -> None:
        """Let the handlers end that wait at the gate."""
        Path(f"{self.record}.open").touch()

    def overdue(self) -> list[str]:
        """Return the ids of the events whose handlers run on after their time-outs."""
        return [line["event_id"] for line in self.processor.logs if line["event"] == "handler overdue"]

    def left(self, topic: str) -> int:
        """Return the number of unsettled events."""
        return int(self._client.xlen(keys.topic(0, topic)))


def _event(kind: str, body: str, key: str) -> Event:
    made = event(key=key, body=urlencode({"Body": body}).encode())
    return msgspec.structs.replace(made, kind=kind, received_at=round(time.time() * 1000))


@pytest.fixture
async def processing(own_redis: RedisServer, services: Services, tmp_path: Path) -> AsyncIterator[Processing]:
    """Yield a processor that is ready."""
    record = tmp_path / RECORD
    processor = services.processor(processor_settings(own_redis.url, record) | SETTINGS)
    await processor.start()
    with own_redis.client as client:
        yield Processing(processor, record, client)


async def others_are_handled(processing: Processing, topic: str = MESSAGES) -> None:
    """Wait until events of other conversations are handled."""
    processing.put(topic, [f"fresh {topic} {number}" for number in range(FRESH)])
    await until(lambda: len(processing.done(f"fresh {topic}")) == FRESH, "events of others are handled")


async def test_retry_later(processing: Processing) -> None:
    """A handler that asks for another time, for more conversations than fit into memory."""
    processing.put(MESSAGES, ["wait:3000"] * MANY)
    await until(lambda: processing.waiting(MESSAGES) == MANY, "all wait")
    await others_are_handled(processing)


async def test_back_off(processing: Processing) -> None:
    """A handler that fails."""
    processing.put(MESSAGES, ["fail"] * MANY)
    await until(lambda: processing.waiting(MESSAGES) == MANY, "all wait")
    await others_are_handled(processing)


async def test_open_breaker(processing: Processing) -> None:
    """A destination that is away; others of the same topic have nothing to do with it."""
    processing.put(STATUSES, ["fail"] * MANY, kind="message.status")
    await until(lambda: processing.waiting(STATUSES) >= MANY - 1, "all wait")
    await others_are_handled(processing, STATUSES)


async def test_handlers_that_overrun(processing: Processing) -> None:
    """Plain functions that run on after their time-out, as many as there are worker slots: others get slots all the same."""
    processing.put(CALLS, ["overrun"] * SLOTS, kind="call.status")
    await until(lambda: len(processing.overdue()) == SLOTS, "all are overdue")
    await others_are_handled(processing, CALLS)
    processing.open_gate()


async def test_long_conversation(processing: Processing) -> None:
    """The first event of a conversation fails, and there are more behind it than fit into memory. Later ones join them."""
    processing.put(MESSAGES, ["fail"] + ["behind"] * MANY, key="long")
    await until(lambda: processing.waiting(MESSAGES) == MANY + 1, "all wait")
    processing.put(MESSAGES, ["behind"] * 3, key="long")
    await others_are_handled(processing)
    assert processing.waiting(MESSAGES) == MANY + 4
    assert processing.done("behind") == []


async def test_conversation_goes_on_in_order(processing: Processing) -> None:
    """Once its first event succeeds, the others are handled in their order, also those that came meanwhile."""
    numbered = [f"behind {number:04}" for number in range(2 * MANY)]
    processing.put(MESSAGES, ["until:0", *numbered[:MANY]], key="long")
    processing.put(MESSAGES, numbered[MANY:], key="long")
    await until(lambda: processing.left(MESSAGES) == 0, "all are handled")
    assert processing.done("behind") == numbered


async def test_takeover(processing: Processing) -> None:
    """A processor that takes over from one that died finds what waits, and what is behind it, and handles others at once."""
    numbered = [f"behind {number:04}" for number in range(MANY)]
    processing.put(MESSAGES, ["wait:3000"] * MANY)
    processing.put(MESSAGES, ["fail", *numbered], key="long")
    await until(lambda: processing.waiting(MESSAGES) == 2 * MANY + 1, "all wait")
    await processing.processor.kill()
    await processing.processor.listen()
    await others_are_handled(processing)
    assert processing.waiting(MESSAGES) == 2 * MANY + 1
    assert processing.done("behind") == []


async def test_kinds_without_a_handler(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """Their events wait for a processor that has one, which takes over, as in a deployment; others of the topic are handled."""
    record = tmp_path / RECORD
    settings = processor_settings(own_redis.url, record) | SETTINGS | {"PROCESSOR_UNHANDLED_WAIT_S": "600"}
    old = services.processor(settings | {"HOOKLINE_TEST_KINDS": "message.received"})
    await old.start()
    with own_redis.client as client:
        processing = Processing(old, record, client)
        processing.put(CALLS, ["new"] * MANY, kind="call.status")
        await until(lambda: processing.waiting(CALLS) == MANY, "all wait for a handler")
        await others_are_handled(processing, CALLS)
        assert old.find("no handler for this kind; its events wait for one") is not None
        await services.processor(settings).start()
        await old.stop()
        await until(lambda: len(processing.done("new")) == MANY, "the new version handles them")
        assert client.xlen(keys.dead(0)) == 0


async def test_large_events(processing: Processing) -> None:
    """Their bytes count, not their number: far more than may be in memory is read bit by bit, and handled in order."""
    bodies = [f"large {number:03} {'x' * 1_000_000}" for number in range(100)]
    await processing.processor.stop()
    processing.put(MESSAGES, bodies, key="large")
    await processing.processor.listen()
    await until(lambda: processing.left(MESSAGES) == 0, "all are handled")
    assert [body[:9] for body in processing.done("large")] == [body[:9] for body in bodies]
