"""One signature, one event: across batches, partitions, topologies and outages."""

import asyncio
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import redis
from msgspec.structs import replace

from hookline_ingress.spool.drain import Drain
from hookline_ingress.spool.spool import Spool
from hookline_shared.dead_letter import DeadLetter
from hookline_shared.event import Event, claim_for
from hookline_shared.observability.metrics import UNCLAIMED_EVENTS
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appended, Appender
from hookline_shared.topics import MESSAGES, STATUSES
from tests.integration.conftest import Connect
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event, key_of
from tests.support.servers.cluster_set import ClusterSet
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until_answer

NEW, DUPLICATE, FULL, REUSED = Appended.NEW, Appended.DUPLICATE, Appended.FULL, Appended.REUSED
TIMEOUT_S = 10.0
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def appender_on(redis: RedisConnectionManager, limit: int = 8000, window_s: int = 3600) -> Appender:
    return Appender(redis, PARTITIONS, dedupe_window_s=window_s, backlog_limit=limit)


def copies(number: int, signature: str = SIGNATURE) -> list[Event]:
    """Return events of one signed text: each has a key and a conversation of its own."""
    return [claiming(event(key=key_of(at % PARTITIONS)), signature) for at in range(number)]


def claiming(one: Event, signature: str = "", claim: str = "") -> Event:
    """Return `one` with what ingress sets; without `signature`, it keeps its own."""
    return replace(one, signature=signature or one.signature, claim=claim or claim_for(f"{one.dedupe_key} {one.key}"))


@pytest.fixture(params=["standalone", "cluster"])
def redis_manager(request: pytest.FixtureRequest, connect: Connect) -> RedisConnectionManager:
    """Return connections to each topology."""
    fixture = "redis_url" if request.param == "standalone" else "cluster_set"
    found = request.getfixturevalue(fixture)
    return connect(found if isinstance(found, str) else found.url)


async def test_one_signature_makes_one_event(redis_manager: RedisConnectionManager) -> None:
    """Of many events under one signature, in whatever partitions, the first is stored; its repetitions are its duplicates."""
    await redis_manager.monitor.refresh()
    appender = appender_on(redis_manager)
    first, *others = copies(2 * PARTITIONS)
    other = claiming(event(key=first.key))
    assert await appender.append([(MESSAGES, first), (MESSAGES, others[0]), (MESSAGES, other)], TIMEOUT_S) == [NEW, REUSED, NEW]
    for one in others:
        assert await appender.append([(MESSAGES, one)], TIMEOUT_S) == [REUSED]
    again = replace(first, id="another")
    assert await appender.append([(MESSAGES, again), (STATUSES, again)], TIMEOUT_S) == [DUPLICATE] * 2


async def test_copies_that_race_are_one_event(redis_manager: RedisConnectionManager) -> None:
    """However many ingresses get the copies at once, one is stored."""
    await redis_manager.monitor.refresh()
    for signature in ("connects", SIGNATURE):
        appends = [appender_on(redis_manager).append([(MESSAGES, one)], TIMEOUT_S) for one in copies(30, signature)]
        results = [result for (result,) in await asyncio.gather(*appends)]
    assert (results.count(REUSED), results.count(NEW)) == (29, 1)


async def test_elements_of_an_array_share_their_signature(redis_manager: RedisConnectionManager) -> None:
    """The signature covers the whole body, so all of its elements are events; the same URL as a form is none."""
    await redis_manager.monitor.refresh()
    appender = appender_on(redis_manager)
    target = "/twilio/events?bodySHA256=1"
    elements = [
        replace(one, content_type="application/json", target=target, claim=claim_for(target), body=b'{"id":1}')
        for one in copies(PARTITIONS)
    ]
    get = replace(copies(1)[0], target=target, body=b"", content_type="")
    assert await appender.append([(MESSAGES, one) for one in elements], TIMEOUT_S) == [NEW] * PARTITIONS
    assert await appender.append([(MESSAGES, get), (MESSAGES, elements[0])], TIMEOUT_S) == [REUSED, DUPLICATE]


async def test_claim_is_for_one_conversation(broker: RedisConnectionManager) -> None:
    """A copy with the dedupe key of the first and another sender would be in another partition, and no duplicate there."""
    first = copies(1)[0]
    forged = claiming(replace(first, key=key_of(1)))
    assert await appender_on(broker).append([(MESSAGES, first), (MESSAGES, forged)], TIMEOUT_S) == [NEW, REUSED]


async def test_second_signature_of_an_event_is_claimed_too(broker: RedisConnectionManager) -> None:
    """A fallback URL gets the same event under another signature: a duplicate, and copies of that signature are refused."""
    appender = appender_on(broker)
    first, by_fallback = claiming(event("same")), claiming(event("same"), SIGNATURE)
    assert await appender.append([(MESSAGES, first), (MESSAGES, by_fallback)], TIMEOUT_S) == [NEW, DUPLICATE]
    assert await appender.append([(MESSAGES, copies(1)[0])], TIMEOUT_S) == [REUSED]


async def test_event_that_found_no_room_keeps_its_claim(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """While an accepted event waits for room, in the spool, no copy takes its place; then it is stored."""
    appender = appender_on(broker, limit=PARTITIONS)
    in_the_way = event(key=key_of(0))
    first, copy = copies(2)
    assert await appender.append([(MESSAGES, in_the_way), (MESSAGES, first)], TIMEOUT_S) == [NEW, FULL]
    assert await appender.append([(MESSAGES, copy)], TIMEOUT_S) == [REUSED]
    redis_client.delete(keys.topic(0, MESSAGES))
    assert await appender.append([(MESSAGES, first)], TIMEOUT_S) == [NEW]


async def test_claim_expires_with_the_window(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """A claim takes memory no longer than the mark of the event itself."""
    appender = appender_on(broker, window_s=1)
    (one,) = copies(1)
    assert await appender.append([(MESSAGES, one)], TIMEOUT_S) == [NEW]
    claim = keys.signed(partition_of(SIGNATURE, PARTITIONS), SIGNATURE)
    assert 0 < redis_client.pttl(claim) <= 1000
    await until_answer(
        lambda: appender.append([(MESSAGES, one)], TIMEOUT_S), lambda results: results == [NEW], "it is new again"
    )


async def test_spooled_copies_are_one_event(
    own_redis: RedisServer, connect: Connect, clock: ManualClock, logbook: Logbook, tmp_path: Path
) -> None:
    """Copies that came while Redis was away are drained in their order: the first is stored. The others were accepted, too, and
    one of them may be the genuine one: they are dead letters, each once, and can be replayed."""
    spool = Spool(tmp_path / "spool.db", 64, clock, logbook.logger)
    await spool.open()
    events = [event(), *copies(PARTITIONS)]
    await asyncio.gather(*(spool.put(MESSAGES, one) for one in events))
    redis = connect(own_redis.url)
    drain = Drain(spool, appender_on(redis), redis, PARTITIONS, clock, logbook.logger)
    assert await drain.move() is None
    with own_redis.client as client:
        assert {one.id for one in Stored(client).events()} == {one.id for one in events[:2]}
        letters = [letter for number in range(PARTITIONS) for letter in dead_letters(client, number)]
    assert {letter.event_id for letter in letters} == {one.id for one in events[2:]}
    assert {(letter.reason, letter.topic, letter.event and letter.event.body) for letter in letters} == {
        ("reused", MESSAGES, events[0].body)
    }
    assert (spool.events, spool.unreadable) == (0, 0)
    await asyncio.gather(*(spool.put(MESSAGES, one) for one in events))
    assert await drain.move() is None
    with own_redis.client as client:
        assert sum(len(dead_letters(client, number)) for number in range(PARTITIONS)) == len(letters)
    await spool.close()


def dead_letters(client: Any, partition: int) -> list[DeadLetter]:
    return [
        DeadLetter(partition, entry.decode(), [item for pair in fields.items() for item in pair])
        for entry, fields in client.xrange(keys.dead(partition))
    ]


@pytest.fixture
async def healthy(connect: Connect, cluster_set: ClusterSet) -> tuple[RedisConnectionManager, RedisServer, list[Event]]:
    """Return a cluster, one of its masters, and events of other masters: the claims of some are at the first."""
    redis = connect(cluster_set.url)
    await redis.monitor.refresh()
    master = cluster_set.master_of(keys.retries(0))
    lost = [number for number in range(PARTITIONS) if cluster_set.master_of(keys.retries(number)) is master]
    key = next(key_of(number) for number in range(PARTITIONS) if number not in lost)
    events = [claiming(event(str(number), key=key)) for number in range(60)]
    assert any(partition_of(one.signature, PARTITIONS) in lost for one in events)
    return redis, master, events


async def test_dead_master_of_a_claim_stops_nobody(healthy: tuple[RedisConnectionManager, RedisServer, list[Event]]) -> None:
    """What cannot be claimed is stored without a claim, in its order: its own master works."""
    redis, master, events = healthy
    master.kill()
    counted = UNCLAIMED_EVENTS.of()
    appender = appender_on(redis)
    for at in range(0, len(events), 6):
        assert await appender.append([(MESSAGES, one) for one in events[at : at + 6]], 0.25) == [NEW] * 6
    assert 0 < UNCLAIMED_EVENTS.of() - counted < len(events)


async def test_slow_master_of_a_claim_delays_nobody(healthy: tuple[RedisConnectionManager, RedisServer, list[Event]]) -> None:
    """One batch waits for it for a moment, and those that follow not at all, nor is any of their time used up."""
    redis, master, events = healthy
    appender = appender_on(redis)
    master.pause()
    try:
        began = monotonic()
        for at in range(0, len(events), 6):
            assert await appender.append([(MESSAGES, one) for one in events[at : at + 6]], 5.0) == [NEW] * 6
        assert monotonic() - began < 2.5
    finally:
        master.resume()


@pytest.mark.parametrize("tokens", [["", "one", "two"], ["one", "", "two"]])
async def test_content_that_happens_again_is_another_event(redis_manager: RedisConnectionManager, tokens: list[str]) -> None:
    """The same digit may be pressed twice, under one signature and two tokens."""
    await redis_manager.monitor.refresh()
    batch = [(MESSAGES, one) for one in pressed(tokens)]
    assert await appender_on(redis_manager).append(batch, TIMEOUT_S) == [NEW] * len(batch)
    assert await appender_on(redis_manager).append(batch, TIMEOUT_S) == [DUPLICATE] * len(batch)


async def test_invented_tokens_make_few_events(redis_manager: RedisConnectionManager) -> None:
    """Twilio does not sign the token: whoever has one webhook could make as many events as there are tokens."""
    await redis_manager.monitor.refresh()
    events = pressed([f"token{number}" for number in range(100)])
    results = await appender_on(redis_manager).append([(MESSAGES, one) for one in events], TIMEOUT_S)
    assert results == [NEW] * 16 + [REUSED] * 84
    assert await appender_on(redis_manager).append([(MESSAGES, events[0]), (MESSAGES, events[-1])], TIMEOUT_S) == [
        DUPLICATE,
        REUSED,
    ]


def pressed(tokens: list[str]) -> list[Event]:
    """Return the events of one content with each of `tokens`, as ingress makes them."""
    return [
        claiming(event(f"step~{token}", key=key_of(0)), SIGNATURE, claim_for("step", f"~{token}" if token else ""))
        for token in tokens
    ]


async def test_event_that_is_stored_is_never_refused(
    redis_manager: RedisConnectionManager, redis_client: "redis.Redis"
) -> None:
    """A repetition is a duplicate as long as the mark of the event lasts, whoever has the claim by then."""
    await redis_manager.monitor.refresh()
    appender = appender_on(redis_manager)
    first, copy = copies(2)
    assert await appender.append([(MESSAGES, first)], TIMEOUT_S) == [NEW]
    partition = partition_of(SIGNATURE, PARTITIONS)
    await redis_manager.execute("test", keys.signed(partition, SIGNATURE), "SET", keys.signed(partition, SIGNATURE), copy.claim)
    assert await appender.append([(MESSAGES, first)], TIMEOUT_S) == [DUPLICATE]


async def test_claim_lasts_as_long_as_the_mark(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """An event that finds room late is marked late, and its claim lasts for the whole window from then on."""
    (one,) = copies(1)
    appender = appender_on(broker)
    assert await appender.append([(MESSAGES, one)], TIMEOUT_S) == [NEW]
    claim = keys.signed(partition_of(SIGNATURE, PARTITIONS), SIGNATURE)
    redis_client.delete(*redis_client.keys(f"{keys.marks(partition_of(one.key, PARTITIONS))}*"))
    redis_client.pexpire(claim, 1000)
    assert await appender.append([(MESSAGES, one)], TIMEOUT_S) == [NEW]
    assert redis_client.pttl(claim) > 3_000_000


async def test_content_that_happens_again_and_again(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """A call that waits in a loop asks the same every few seconds: so many are accepted in each window, and not in all."""
    appender = appender_on(broker)
    first, second = pressed(["one", "two"])
    assert await appender.append([(MESSAGES, first)], TIMEOUT_S) == [NEW]
    claim = keys.signed(partition_of(SIGNATURE, PARTITIONS), SIGNATURE)
    redis_client.pexpire(claim, 60_000)
    assert await appender.append([(MESSAGES, second)], TIMEOUT_S) == [NEW]
    assert 0 < redis_client.pttl(claim) <= 60_000
