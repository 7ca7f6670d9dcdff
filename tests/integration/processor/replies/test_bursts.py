"""Bursts in a processor: several messages of a conversation are one run, and settled or attempted again as one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec
import pytest
import redis

from hookline import Context, Handlers, MessageReceived, Reject
from hookline_processor.partition.partition import Partition
from hookline_shared.clock import SystemClock
from hookline_shared.event import Event
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.topics import MESSAGES
from tests.integration.processor.replies.conftest import sender_settings
from tests.support.observability.logbook import Logbook
from tests.support.processor.conversations import incoming
from tests.support.processor.events import key_of
from tests.support.processor.feed import PARTITION
from tests.support.processor.partition_bench import Bench
from tests.support.servers.fake_twilio import FakeTwilio
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored
from tests.support.waiting import until

QUIET_S = 0.3


@dataclass
class Person:
    """Somebody who writes several messages at once, and the texts that each run of the handler got."""

    broker: RedisConnectionManager
    runs: list[list[str]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    async def write(self, *texts: str, nth: int = 0, age_s: float = 0.0) -> None:
        """Send messages now, or as if they had come so many seconds ago."""
        received_at = SystemClock().now_ms() - round(age_s * 1000)
        events = [_at(received_at, incoming(text, key_of(PARTITION, nth))) for text in texts]
        await Appender(self.broker, PARTITIONS, 3600, 1_000_000).append([(MESSAGES, one) for one in events], 5)


def _at(received_at: int, event: Event) -> Event:
    return msgspec.structs.replace(event, received_at=received_at)


@pytest.fixture
def person(broker: RedisConnectionManager) -> Person:
    """Return somebody who writes."""
    return Person(broker)


@pytest.fixture
async def bench(broker: RedisConnectionManager, logbook: Logbook, twilio: FakeTwilio, person: Person) -> AsyncIterator[Bench]:
    """Yield a partition, not yet started, whose handler answers all texts of a burst, and remembers their number."""
    bench = Bench(broker, logbook)
    handlers = bench.handlers = Handlers()

    @handlers.on(MessageReceived, burst_s=QUIET_S, burst_limit_s=1, memory=True)
    async def answer(event: MessageReceived, context: Context) -> str:
        texts = [one.body for one in event.burst]
        person.runs.append(texts)
        context.memory["number"] = context.memory.get("number", 0) + len(texts)
        await bench.open.wait()
        if person.errors:
            raise person.errors.pop()
        return f"{context.memory['number']}: {' '.join(texts)}"

    bench.sender = sender_settings(twilio)
    yield bench
    await bench.close()


async def settle(partition: Partition, stored: Stored) -> None:
    await until(lambda: stored.events() == [], "all are settled and sent")
    await partition.drain(5)


async def test_several_texts_are_one_run(bench: Bench, person: Person, twilio: FakeTwilio, stored: Stored) -> None:
    """Though they are read one after another. Another conversation is not mixed in."""
    partition = await bench.start()
    await person.write("one")
    await until(lambda: len(stored.events(MESSAGES)) == 1, "it is read")
    await person.write("two")
    await person.write("other", nth=1)
    await person.write("three")
    await settle(partition, stored)
    assert sorted(person.runs) == [["one", "two", "three"], ["other"]]
    assert sorted(twilio.bodies) == ["1: other", "3: one two three"]


async def test_backlog_is_not_waited_for(bench: Bench, person: Person, twilio: FakeTwilio, stored: Stored) -> None:
    """What came long ago runs at once, eight at a time, and in order."""
    texts = [str(number) for number in range(20)]
    bench.window = 200
    await person.write(*texts, age_s=60)
    partition = await bench.start()
    await settle(partition, stored)
    assert [text for run in person.runs for text in run] == texts
    assert max(map(len, person.runs)) == 8
    assert len(person.runs) <= 6
    assert len(twilio.bodies) == len(person.runs)


async def test_somebody_who_does_not_stop_writing(bench: Bench, person: Person, stored: Stored) -> None:
    """Is answered after the limit, or after eight."""
    bench.window = 200
    partition = await bench.start()
    texts = [str(number) for number in range(12)]
    for text in texts:
        await person.write(text)
    await settle(partition, stored)
    assert [text for run in person.runs for text in run] == texts
    assert len(person.runs) == 2
    assert len(person.runs[0]) == 8


async def test_failed_burst_is_attempted_again_as_it_was(
    bench: Bench, person: Person, twilio: FakeTwilio, stored: Stored
) -> None:
    """With the same texts, though more have come since: those are the next run. Nothing was sent or remembered before."""
    person.errors = [ConnectionError("the model is away")]
    await person.write("one", "two", age_s=1)
    partition = await bench.start()
    await until(lambda: len(person.runs) == 1, "the first attempt fails")
    await person.write("three", age_s=1)
    await settle(partition, stored)
    assert person.runs == [["one", "two"], ["one", "two"], ["three"]]
    assert twilio.bodies == ["2: one two", "3: three"]


async def test_dead_burst(bench: Bench, person: Person, twilio: FakeTwilio, stored: Stored) -> None:
    """Each event is a dead letter, in order; the conversation goes on."""
    person.errors = [Reject("no")]
    await person.write("one", "two", age_s=1)
    partition = await bench.start()
    await until(lambda: len(stored.dead_letters(PARTITION)) == 2, "both are dead")
    await person.write("three", age_s=1)
    await settle(partition, stored)
    assert person.runs == [["one", "two"], ["three"]]
    assert twilio.bodies == ["1: three"]


async def test_burst_waits_through_a_restart(
    bench: Bench, person: Person, twilio: FakeTwilio, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """A lane that waits is in Redis alone: the next owner makes one run of it."""
    partition = await bench.start()
    await person.write("one")
    await until(lambda: redis_client.zcard(keys.waiting(PARTITION, MESSAGES)) == 1, "it waits in redis")
    await partition.drain(5)
    await person.write("two")
    partition = await bench.start()
    await settle(partition, stored)
    assert person.runs == [["one", "two"]]
    assert twilio.bodies == ["2: one two"]


async def test_events_of_a_crash_run_alone(bench: Bench, person: Person, twilio: FakeTwilio, stored: Stored) -> None:
    """The processor lost the partition in the middle of a run, so one of them may be the cause."""
    bench.open.clear()
    await person.write("one", "two", age_s=1)
    partition = await bench.start()
    await until(lambda: person.runs == [["one", "two"]], "they run together")
    await partition.abandon()
    bench.open.set()
    partition = await bench.start()
    await settle(partition, stored)
    assert person.runs == [["one", "two"], ["one"], ["two"]]
    assert twilio.bodies == ["1: one", "2: two"]


async def test_many_conversations_at_once(bench: Bench, person: Person, twilio: FakeTwilio, stored: Stored) -> None:
    """More of them than fit into memory. None waits for memory that another one holds."""
    partition = await bench.start()
    for nth in range(60):
        await person.write("a", "b", "c", nth=nth)
    await settle(partition, stored)
    assert sorted(text for run in person.runs for text in run) == ["a"] * 60 + ["b"] * 60 + ["c"] * 60
    assert all(run == sorted(run) for run in person.runs)
    assert len(person.runs) <= 66
    assert len(twilio.bodies) == len(person.runs)
