"""A conversation goes on when Redis has confirmed the messages of the event before, and not earlier."""

from collections.abc import AsyncIterator

import pytest
import redis

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.outcomes import Outcome
from hookline_processor.partition.settler import _MAX_OUTPUT_BYTES, Settler
from hookline_processor.replies.outputs import Outputs
from hookline_processor.verdicts import DONE, Dead, Done, Failure, Reason
from hookline_shared.clock import SystemClock
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.outbox import OutboxEntry
from hookline_shared.topics import MESSAGES, OUTBOX
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event
from tests.support.processor.feed import PARTITION
from tests.support.processor.partition_bench import Bench
from tests.support.storage.keys import keys
from tests.support.storage.stored import Stored
from tests.support.waiting import until


def output(token: str, size: int = 10) -> Done:
    return Done(Outputs([OutboxEntry(token, 60_000, ["body", token.ljust(size)])]))


@pytest.fixture
async def bench(broker: RedisConnectionManager, logbook: Logbook) -> AsyncIterator[Bench]:
    """Yield a partition, not yet started, each of whose events sends its id. Nobody reads what is sent."""
    bench = Bench(broker, logbook)
    bench.topics = {name: topic for name, topic in bench.topics.items() if name != OUTBOX}
    bench.verdict = lambda in_flight: output(in_flight.event.id)
    yield bench
    await bench.close()


def sent(stored: Stored) -> list[str]:
    return [fields[-1].decode().strip() for _, fields in stored.entries(PARTITION, "outbox")]


async def test_messages_are_in_the_order_of_their_events(bench: Bench, stored: Stored) -> None:
    """More of them than fit into memory, and several conversations at once."""
    first, second = await bench.put(50), await bench.put(50, nth_key=1)
    partition = await bench.start()
    await until(lambda: stored.events(MESSAGES) == [], "all are settled")
    found = sent(stored)
    for conversation in (first, second):
        ids = [one.id for one in conversation]
        assert [one for one in found if one in ids] == ids
    assert len(found) == 100
    await partition.drain(5)


async def test_refused_settlement_holds_its_conversation_only(
    bench: Bench, stored: Stored, broker: RedisConnectionManager, redis_client: "redis.Redis"
) -> None:
    """Redis refuses messages and nothing else: their conversations wait, so nothing overtakes; others are handled."""
    stream = keys.topic(PARTITION, "outbox")
    redis_client.set(stream, "no stream")
    held = await bench.put(3)
    others = await bench.put(3, nth_key=1)
    silent = {one.id for one in others}
    bench.verdict = lambda in_flight: DONE if in_flight.event.id in silent else output(in_flight.event.id)
    partition = await bench.start()
    await until(lambda: len(stored.events(MESSAGES)) == 3, "the others are settled")
    assert [one for one in bench.begun if one not in silent] == [held[0].id]
    redis_client.delete(stream)
    await until(lambda: stored.events(MESSAGES) == [], "all are settled")
    assert sent(stored) == [one.id for one in held]
    await partition.drain(5)


async def test_stop_settles_what_is_not_confirmed(bench: Bench, stored: Stored) -> None:
    """The rest of the conversation is left to the next owner, in order, and nothing is sent twice."""
    events = await bench.put(30)
    for _ in range(3):
        partition = await bench.start()
        begun = len(bench.begun)
        await until(lambda begun=begun: len(bench.begun) > begun + 2 or stored.events(MESSAGES) == [], "it has begun")  # type: ignore[misc]
        await partition.drain(5)
    partition = await bench.start()
    await until(lambda: stored.events(MESSAGES) == [], "all are settled")
    assert sent(stored) == [one.id for one in events]
    await partition.drain(5)


async def test_batch_is_bounded_by_the_bytes_of_its_messages(consumer_of_nothing: Consumer, logbook: Logbook) -> None:
    """Events without messages do not count, nor do dead ones."""
    settler = Settler(consumer_of_nothing, lambda _: None, lambda _: None, lambda: False, SystemClock(), logbook.logger)
    dead = Dead(Reason.REJECTED, Failure("Reject", "no"), 1, 1)
    outcomes: list[Outcome] = [DONE, dead, *(output(str(number), _MAX_OUTPUT_BYTES // 4) for number in range(8))]
    for number, outcome in enumerate(outcomes):
        settler._queue(InFlightEvent(MESSAGES, f"{number}-0", event()), outcome)
    assert len(settler._next_batch()) == 2 + 4


@pytest.fixture
def consumer_of_nothing(broker: RedisConnectionManager) -> Consumer:
    """Return a consumer that is not asked."""
    from hookline_shared.streams.ownership.lease import Fence  # noqa: PLC0415

    return Consumer(broker, PARTITION, [MESSAGES], Fence("nobody", 0))
