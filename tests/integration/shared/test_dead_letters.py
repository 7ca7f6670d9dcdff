"""The scripts that replay and discard dead letters: once, whole, and in order, whoever else does it and whatever fails."""

import asyncio
from typing import Any

import pytest
import redis

from hookline_shared.dead_letter import DeadLetter, DeadLetterId
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import decode
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appended, Appender
from hookline_shared.streams.dead_letters import DeadLetterStreams, Move, Replayed
from hookline_shared.topics import MESSAGES
from tests.integration.conftest import Connect
from tests.support.processor.feed import PARTITION
from tests.support.servers.cluster_set import ClusterSet
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.dead_letters import DEATH_CASES, deaths, write_dead_letters
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored

_RAW = [b"v", b"99", b"\xff\xfe", b"\x00binary\xff", b"again", b"1", b"again", b"2", b"dead.reason", b"own", b"", b""]


@pytest.fixture
async def letters(broker: RedisConnectionManager) -> DeadLetterStreams:
    """Return the dead letters of the shared server."""
    return DeadLetterStreams(broker, PARTITIONS)


def put(client: "redis.Redis", *fields: bytes | str, partition: int = PARTITION) -> str:
    """Put one entry among the dead letters of `partition`; return its id."""
    return str(client.execute_command("XADD", keys.dead(partition), "*", *fields).decode())


async def every(letters: DeadLetterStreams) -> list[DeadLetter]:
    """Return all letters, partition by partition."""
    return [one for partition in range(PARTITIONS) async for page in letters.pages(partition) for one in page]


def moves(found: list[DeadLetter], topic: str | None = None) -> list[Move]:
    return [Move(one.id.entry, topic or one.topic) for one in found]


async def test_replayed_entry_is_the_event_and_its_past(
    letters: DeadLetterStreams, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """A replay puts back every byte of the event, and adds how many lives there were and how the first one ended."""
    ((buried, fields),) = deaths(1)
    put(redis_client, *fields, partition=buried.partition)
    (letter,) = await every(letters)
    assert await letters.replay(buried.partition, moves([letter])) == [Replayed.DONE]
    ((_, entry),) = stored.entries(buried.partition, buried.topic)
    past = [b"lives", b"1", b"first.at", b"%d" % (buried.event.received_at + 2000), b"first.reason", b"exhausted"]
    past += [b"first.topic", b"messages", b"first.entry", letter.entry.encode()]
    assert entry == [*letter.event_fields, *past]
    assert decode(entry) == buried.event
    assert stored.dead_letters(buried.partition) == []


async def test_second_replay_counts_on(letters: DeadLetterStreams, stored: Stored, redis_client: "redis.Redis") -> None:
    """An event that dies again after a replay keeps what is known of its first life; only the count grows, in its place."""
    ((buried, fields),) = deaths(1)
    tail = ["first.at", "5", "first.reason", "poison", "first.topic", "calls", "first.entry", "1-2"]
    own = [*fields[:-18], "lives", "9", *tail]
    put(redis_client, *own, *fields[-18:], partition=buried.partition)
    (letter,) = await every(letters)
    assert letter.replay_history.lives == 9
    await letters.replay(buried.partition, moves([letter]))
    ((_, entry),) = stored.entries(buried.partition, MESSAGES)
    assert entry[: len(entry) - 9] == [*letter.event_fields[:-9]]
    assert entry[-9:] == [b"10", *(word.encode() for word in tail)]


async def test_undecodable_is_put_back_byte_for_byte(
    letters: DeadLetterStreams, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """Of an entry that is no event every field comes back, repeated, binary and odd ones too."""
    entry_id = put(redis_client, *_RAW, "dead.reason", "undecodable", "dead.topic", MESSAGES)
    assert await letters.replay(PARTITION, [Move(entry_id, MESSAGES)]) == [Replayed.DONE]
    ((_, entry),) = stored.entries(PARTITION, MESSAGES)
    assert entry[: len(_RAW)] == _RAW
    assert entry[len(_RAW) : len(_RAW) + 2] == [b"lives", b"1"]


async def test_what_is_gone_or_empty_is_skipped(
    letters: DeadLetterStreams, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """A letter that somebody else has dealt with, and one in which nothing of the event is left, hold up nothing."""
    empty = put(redis_client, "dead.reason", "lost")
    last = put(redis_client, *_RAW, "dead.reason", "undecodable")
    wanted = [Move("1-0", MESSAGES), Move(empty, MESSAGES), Move(last, MESSAGES)]
    assert await letters.replay(PARTITION, wanted) == [Replayed.GONE, Replayed.EMPTY, Replayed.DONE]
    assert await letters.replay(PARTITION, wanted) == [Replayed.GONE, Replayed.EMPTY, Replayed.GONE]
    assert len(stored.entries(PARTITION, MESSAGES)) == 1
    assert [entry for entry, _ in stored.dead_letters(PARTITION)] == [empty]


async def test_marks_are_left_alone(
    broker: RedisConnectionManager, letters: DeadLetterStreams, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """A replay goes past deduplication, since the event is a duplicate of itself; what Twilio repeats still is one."""
    appender = Appender(broker, PARTITIONS, dedupe_window_s=60, backlog_limit=1000)
    ((buried, fields),) = deaths(1)
    assert await appender.append([(MESSAGES, buried.event)], 10) == [Appended.NEW]
    redis_client.delete(keys.topic(buried.partition, MESSAGES))
    put(redis_client, *fields, partition=buried.partition)
    assert await letters.replay(buried.partition, moves(await every(letters))) == [Replayed.DONE]
    assert stored.events() == [buried.event]
    assert await appender.append([(MESSAGES, buried.event)], 10) == [Appended.DUPLICATE]


async def test_replay_at_the_same_time(letters: DeadLetterStreams, stored: Stored, redis_client: "redis.Redis") -> None:
    """However many replay the same letters at once, each event comes back once, and in the order that all asked for."""
    buried = write_dead_letters(redis_client, 300, cases=DEATH_CASES[:1], conversations=1)
    found = await every(letters)
    partition = found[0].id.partition
    batches = [moves(found[at : at + 10]) for at in range(0, 300, 10)]

    async def replay_all() -> list[Replayed]:
        return [result for batch in batches for result in await letters.replay(partition, batch)]

    results = await asyncio.gather(*(replay_all() for _ in range(4)))
    assert sum(result.count(Replayed.DONE) for result in results) == 300
    assert [decode(fields) for _, fields in stored.entries(partition, MESSAGES)] == [one.event for one in buried]
    assert stored.dead_letters(partition) == []


async def test_replay_stops_at_what_redis_refuses(
    letters: DeadLetterStreams, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """Letters before the refused one are replayed, that one and those behind it stay, so that order holds."""
    buried = write_dead_letters(redis_client, 3, cases=DEATH_CASES[:1], conversations=1)
    partition = buried[0].partition
    first, second, third = await every(letters)
    redis_client.set(keys.topic(partition, "calls"), "no stream")
    wanted = [*moves([first]), *moves([second], "calls"), *moves([third])]
    with pytest.raises(BrokerUnavailableError):
        await letters.replay(partition, wanted)
    assert stored.events(MESSAGES) == [buried[0].event]
    assert [entry for entry, _ in stored.dead_letters(partition)] == [second.id.entry, third.id.entry]


@pytest.mark.parametrize("command", ["xadd", "xdel", "xrange"])
async def test_missing_permission_moves_nothing(connect: Connect, command: str) -> None:
    """Where the Redis user may not do a part of it, the event is in one place, where it was."""
    with RedisServer() as server, server.client as client:
        client.execute_command("ACL", "SETUSER", "operator", "on", ">s3cr3t", "~*", "+@all", f"-{command}")
        letters = DeadLetterStreams(connect(server.url.replace("redis://", "redis://operator:s3cr3t@")), PARTITIONS)
        (buried,) = write_dead_letters(client, 1)
        ((entry, _),) = Stored(client).dead_letters(buried.partition)
        with pytest.raises(BrokerUnavailableError):
            await letters.replay(buried.partition, [Move(entry, MESSAGES)])
        with pytest.raises(BrokerUnavailableError):
            await letters.discard(buried.partition, [entry], "me", "test")
        assert [found for found, _ in Stored(client).dead_letters(buried.partition)] == [entry]
        assert Stored(client).events() == []
        assert client.exists(keys.discarded(buried.partition)) == 0


async def test_without_memory(connect: Connect, own_redis: RedisServer) -> None:
    """A Redis without memory lets dead letters be replayed and discarded: that is what frees some."""
    letters = DeadLetterStreams(connect(own_redis.url), PARTITIONS)
    with own_redis.client as client:
        first, second = write_dead_letters(client, 2, cases=DEATH_CASES[:1], conversations=1)
        client.config_set("maxmemory", "1")
        (one, other) = [entry for entry, _ in Stored(client).dead_letters(first.partition)]
        assert await letters.replay(first.partition, [Move(one, MESSAGES)]) == [Replayed.DONE]
        assert await letters.discard(second.partition, [other], "me", "test") == 1


async def test_discarding_keeps_a_record(letters: DeadLetterStreams, stored: Stored, redis_client: "redis.Redis") -> None:
    """Who, when, why and which event stays known; what people wrote and their numbers do not."""
    ((buried, fields),) = deaths(1)
    entry = put(redis_client, *fields, partition=buried.partition)
    assert await letters.discard(buried.partition, [entry, "1-0"], "ann@desk", "a test") == 1
    assert await letters.discard(buried.partition, [entry], "bob@desk", "again") == 0
    assert stored.dead_letters(buried.partition) == []
    ((record,),) = [page async for page in letters.discarded(buried.partition)]
    assert record.fields == {
        "who": "ann@desk",
        "why": "a test",
        "letter": entry,
        "id": buried.event.id,
        "kind": "message.received",
        "account": "AC1",
        "topic": "messages",
        "reason": "exhausted",
        "attempts": "8",
        "lives": "",
    }
    assert record.at >= int(entry.partition("-")[0])


async def test_undecodable_can_be_discarded(letters: DeadLetterStreams, stored: Stored, redis_client: "redis.Redis") -> None:
    """An entry that is no event can be looked at and discarded, and its bytes do not get into the record."""
    entry = put(redis_client, b"id", b"\xff" * 500, *_RAW, "dead.reason", "undecodable", "dead.topic", MESSAGES)
    (letter,) = await every(letters)
    assert (letter.id, letter.reason, letter.event) == (DeadLetterId(PARTITION, entry), "undecodable", None)
    assert await letters.discard(PARTITION, [entry], "me", "it is none") == 1
    ((record,),) = [page async for page in letters.discarded(PARTITION)]
    assert len(record.fields["id"]) == 100
    assert stored.dead_letters(PARTITION) == []


async def test_records_are_bounded(
    letters: DeadLetterStreams, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest records make room for new ones."""
    monkeypatch.setattr("hookline_shared.streams.dead_letters.RECORDS_KEPT", 100)
    entries = [put(redis_client, "dead.reason", "lost") for _ in range(1000)]
    for at in range(0, 1000, 100):
        await letters.discard(PARTITION, entries[at : at + 100], "me", "test")
    assert 100 <= redis_client.xlen(keys.discarded(PARTITION)) < 300


async def test_pages_give_all(letters: DeadLetterStreams, redis_client: "redis.Redis") -> None:
    """However many and however large, every letter comes once, in order, and no page is larger than bearable."""
    body = b"x" * 100_000
    wanted = [put(redis_client, "body", body if number > 150 else b"", "dead.reason", "lost") for number in range(400)]
    pages: list[list[Any]] = [page async for page in letters.pages(PARTITION)]
    assert [one.id.entry for page in pages for one in page] == wanted
    assert all(sum(len(word) for one in page for word in one.event_fields) <= 40_000_000 for page in pages)
    assert len(pages[-1]) <= 60
    assert await letters.count() == 400


async def test_finding_by_id(letters: DeadLetterStreams, redis_client: "redis.Redis") -> None:
    """Letters are found by their ids; those that are not there are None."""
    entry = put(redis_client, "dead.reason", "lost")
    found, missing = [one async for one in letters.find([DeadLetterId(PARTITION, entry), DeadLetterId(3, "1-0")])]
    assert found is not None
    assert found.reason == "lost"
    assert missing is None
    assert [one async for one in letters.find([])] == []


async def test_replay_in_a_cluster(connect: Connect, cluster_set: ClusterSet) -> None:
    """Replaying and discarding work where partitions lie on different masters."""
    broker = connect(cluster_set.url)
    await broker.monitor.locate()
    letters = DeadLetterStreams(broker, PARTITIONS)
    with cluster_set.client as client:
        write_dead_letters(client, 60)
        found = await every(letters)
        assert len({one.id.partition for one in found}) > 3
        for one in found[:-1]:
            assert await letters.replay(one.id.partition, moves([one])) == [Replayed.DONE]
        assert await letters.discard(found[-1].id.partition, [found[-1].id.entry], "me", "test") == 1
        assert await letters.count() == 0
        left = [client.xlen(keys.topic(partition, case.topic)) for partition in range(PARTITIONS) for case in DEATH_CASES]
        assert sum(left) == 59
