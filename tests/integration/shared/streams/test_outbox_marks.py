"""The marks of messages and the claims on SIDs, on a single server and on a cluster."""

import pytest

from hookline_shared.errors import FencedError
from hookline_shared.event import decode
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.outbox import Mark, Marks, OutboxEntry, Place, State
from hookline_shared.streams.settlements import Outputs, Settlements
from hookline_shared.topics import DEFAULT_TOPICS, MESSAGES, OUTBOX
from tests.integration.conftest import Connect
from tests.support.processor.feed import PARTITION, Feed, claim, read
from tests.support.storage.stored import PARTITIONS

PLACE = Place(PARTITION, "n4bQgYhMfWWaL-qgxVrQFa")
ACCOUNT = "AC" + "1" * 32


@pytest.fixture(params=["standalone", "cluster"])
async def redis(request: pytest.FixtureRequest, connect: Connect) -> RedisConnectionManager:
    """Return a connection to an empty Redis of each kind."""
    if request.param == "standalone":
        return connect(request.getfixturevalue("redis_url"))
    connection = connect(request.getfixturevalue("cluster_set").url)
    await connection.monitor.locate()
    return connection


@pytest.fixture
async def marks(redis: RedisConnectionManager) -> Marks:
    """Return the marks of an empty Redis."""
    return Marks(redis, PARTITIONS)


async def test_one_request_begins(marks: Marks, redis: RedisConnectionManager) -> None:
    """Of all attempts at a message; the others are told since when, by the clock of Redis."""
    fence = await claim(redis)
    begun = await marks.begin(PLACE, fence, 5, ACCOUNT)
    assert (begun.state, begun.mark.account) == (State.BEGUN, ACCOUNT)
    assert begun.mark.first_ms == begun.mark.last_ms == begun.now_ms
    again = await marks.begin(PLACE, fence, 5, ACCOUNT)
    assert (again.state, again.mark) == (State.SENDING, begun.mark)
    assert await marks.read(PLACE) == begun.mark


async def test_request_that_sent_nothing_begins_again(marks: Marks, redis: RedisConnectionManager) -> None:
    """The mark says `queued`; only the request that it is of can say so."""
    fence = await claim(redis)
    begun = await marks.begin(PLACE, fence, 5, ACCOUNT)
    assert not await marks.requeue(PLACE, Mark.parse("sending 1 1 AC1"))
    assert await marks.requeue(PLACE, begun.mark)
    assert (await marks.read(PLACE)).text == "queued"
    assert (await marks.begin(PLACE, fence, 5, ACCOUNT)).state is State.BEGUN


async def test_request_is_given_up_by_its_exact_mark(marks: Marks, redis: RedisConnectionManager) -> None:
    """So two who gave up the same request do not both send. When the first request began stays known."""
    fence = await claim(redis)
    first = (await marks.begin(PLACE, fence, 5, ACCOUNT)).mark
    second = await marks.begin(PLACE, fence, 5, ACCOUNT, replaced=first.text)
    assert second.state is State.BEGUN
    assert second.mark.first_ms == first.first_ms
    if second.mark != first:  # in the same millisecond, they are equal
        assert (await marks.begin(PLACE, fence, 5, ACCOUNT, replaced=first.text)).state is State.SENDING


async def test_sent_is_for_good(marks: Marks, redis: RedisConnectionManager) -> None:
    """Whoever is late changes nothing, and nobody sends again; also one who has lost the partition may say it."""
    fence = await claim(redis)
    begun = await marks.begin(PLACE, fence, 5, ACCOUNT)
    await claim(redis, owner="next", force=True)
    assert await marks.sent(PLACE, ACCOUNT, "SM1")
    assert not await marks.sent(PLACE, ACCOUNT, "SM2")
    assert not await marks.requeue(PLACE, begun.mark)
    assert (await marks.read(PLACE)).sid == "SM1"
    with pytest.raises(FencedError):
        await marks.begin(PLACE, fence, 5, ACCOUNT)


async def test_lease_must_last(marks: Marks, redis: RedisConnectionManager) -> None:
    """Else nothing is begun."""
    fence = await claim(redis, lease_s=3)
    assert (await marks.begin(PLACE, fence, 5, ACCOUNT)).state is State.LEASE
    assert (await marks.read(PLACE)).text == "queued"
    assert (await marks.begin(PLACE, fence, 1, ACCOUNT)).state is State.BEGUN


async def test_sid_belongs_to_the_first(marks: Marks) -> None:
    """Whatever partition it is in; claiming it again is no other claim."""
    for number in range(10):
        sid = f"SM{number:032x}"
        assert await marks.claim(sid, "one")
        assert not await marks.claim(sid, "two")
        assert await marks.claim(sid, "one")


async def test_settling_writes_into_the_same_partition(redis: RedisConnectionManager, marks: Marks) -> None:
    """The stream and the mark are where the event is, so a cluster takes them in one step."""
    consumer = Consumer(redis, PARTITION, DEFAULT_TOPICS, await claim(redis))
    await consumer.ensure_groups()
    (event,) = await Feed(redis).put(1)
    (entry,) = await read(consumer)
    fields = [field.decode() for field in entry.fields or ()]
    outputs = [Outputs(MESSAGES, entry.id, [OutboxEntry(PLACE.token, 60_000, fields)])]
    for _ in range(2):
        await consumer.settle(Settlements(done={MESSAGES: [entry.id]}, outputs=outputs))
    (message,) = await read(consumer, topic=OUTBOX)
    assert decode(message.fields or ()) == event
    assert (await marks.read(PLACE)).text == "queued"
