"""Readers of entries of 1 MB through slow links: all arrive, once, and what was too much is not asked for again as it was."""

import asyncio
from pathlib import Path

import pytest
import redis

from hookline_cli.tail.timeline import Timeline
from hookline_shared.clock import SystemClock
from hookline_shared.dead_letter import DeadLetterId
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import SCHEMA
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.backlog import backlogs, is_among_newest
from hookline_shared.streams.dead_letter_counts import FIRST, DeadLetterCounts, count_by_topic
from hookline_shared.streams.dead_letters import DeadLetterStreams, Move, Replayed
from hookline_shared.streams.follow import Arrival, Follower
from hookline_shared.topics import DEFAULT_TOPICS, MESSAGES
from tests.integration.slow_links.conftest import MB, NUMBER, SCALE, OpenLink, Reach, large, stored_ids
from tests.support.processes.command import Command, ended
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION
from tests.support.storage.dead_letters import fields_of
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS

_SCRIPT_CALLS = 8
"""The least number of calls by SHA-1 for 40 MB, at 4 MiB each; the first may be by its text."""


def bury(client: "redis.Redis", number: int, size: int, partition: int = PARTITION) -> list[str]:
    """Put letters with bodies of `size` bytes into Redis; return their entry ids."""
    client.hset(keys.layout, mapping={"partitions": str(PARTITIONS), "schema": SCHEMA})
    ids = []
    for _ in range(number):
        fields = [*fields_of(large(key_of(partition), size)), "dead.reason", "exhausted", "dead.topic", MESSAGES]
        ids.append(client.execute_command("XADD", keys.dead(partition), "*", *fields).decode())
    return ids


def script_calls(client: "redis.Redis") -> int:
    return int(client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0))


async def test_pages_of_letters(open_link: OpenLink, reach: Reach, redis_client: "redis.Redis") -> None:
    """Large letters that come after many small ones are read with smaller pages, after one failure at most."""
    ids = [*bury(redis_client, 500, 100), *bury(redis_client, NUMBER, MB)]
    link = await open_link(12 * MB)
    letters = DeadLetterStreams(reach(link), PARTITIONS)
    found = [letter.id.entry async for page in letters.pages(PARTITION) for letter in page]
    assert found == ids
    assert link.received < 1.5 * NUMBER * MB + 15 * MB, "the rest is a read that took too long"


async def test_letters_by_id(open_link: OpenLink, reach: Reach, redis_client: "redis.Redis") -> None:
    """Hundreds of ids are looked up in batches that fit."""
    ids = [DeadLetterId(PARTITION, entry) for entry in bury(redis_client, NUMBER, MB)]
    letters = DeadLetterStreams(reach(await open_link(12 * MB)), PARTITIONS)
    assert [letter and letter.id async for letter in letters.find([*ids, DeadLetterId(1, "1-1")])] == [*ids, None]


async def test_redis_is_away(open_link: OpenLink, reach: Reach, redis_client: "redis.Redis") -> None:
    """If nothing comes, one smaller read is tried, and then it is said."""
    bury(redis_client, 2, MB)
    letters = DeadLetterStreams(reach(await open_link(1000)), PARTITIONS)
    with pytest.raises(BrokerUnavailableError, match="did not answer in time"):
        [page async for page in letters.pages(PARTITION)]


async def test_dead_list(open_link: OpenLink, redis_client: "redis.Redis", tmp_path: Path) -> None:
    """The command lists large letters of all partitions."""
    for partition in range(PARTITIONS):
        bury(redis_client, 5, MB, partition)
    link = await open_link(25 * MB)
    command = Command(tmp_path, link.url, {"REDIS_COMMAND_TIMEOUT_S": "2"})
    with command.started("dead", "list", "--json") as process:
        result = await asyncio.to_thread(ended, process)
    assert result.code == 0, result.err
    assert result.json["total"] == 5 * PARTITIONS


async def test_replay(open_link: OpenLink, reach: Reach, redis_client: "redis.Redis") -> None:
    """One call of the script moves some megabytes, so it blocks Redis shortly; all letters are moved once, in their order."""
    ids = bury(redis_client, NUMBER, MB)
    before = script_calls(redis_client)
    letters = DeadLetterStreams(reach(await open_link(12 * MB)), PARTITIONS)
    outcomes = await letters.replay(PARTITION, [Move(entry, MESSAGES) for entry in [*ids, "1-1"]])
    assert outcomes == [Replayed.DONE] * NUMBER + [Replayed.GONE]
    assert script_calls(redis_client) - before >= _SCRIPT_CALLS * SCALE
    moved = stored_ids(redis_client)
    assert len(moved) == NUMBER
    assert moved == sorted(moved)


async def test_discard(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """Discarding is bounded in the same way."""
    ids = bury(redis_client, NUMBER, MB)
    before = script_calls(redis_client)
    assert await DeadLetterStreams(broker, PARTITIONS).discard(PARTITION, [*ids, "1-1"], "me", "why") == NUMBER
    assert script_calls(redis_client) - before >= _SCRIPT_CALLS * SCALE
    assert redis_client.xlen(keys.discarded(PARTITION)) == NUMBER


async def test_counting_letters(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """A page of large letters ends early, and all are counted."""
    bury(redis_client, 100, 100)
    bury(redis_client, NUMBER, MB)
    (page,) = await count_by_topic(broker, [(PARTITION, FIRST)])
    assert page.more
    assert page.topics.total() < 100 + 30
    assert await DeadLetterCounts(broker, PARTITIONS, SystemClock()).update() == {MESSAGES: 100 + NUMBER}


async def test_backlog_without_bodies(open_link: OpenLink, reach: Reach, redis_client: "redis.Redis") -> None:
    """The length and age of the backlog cost no bodies."""
    for topic in DEFAULT_TOPICS:
        for partition in range(PARTITIONS):
            fields = fields_of(large(key_of(partition)))
            redis_client.execute_command("XADD", keys.topic(partition, topic), "7-0", *fields)
    link = await open_link(12 * MB)
    found = await backlogs(reach(link), PARTITIONS, DEFAULT_TOPICS)
    assert {(one.events, one.oldest_ms) for one in found.values()} == {(PARTITIONS, 7)}
    assert link.received < MB


async def test_one_among_the_newest(open_link: OpenLink, reach: Reach, redis_client: "redis.Redis") -> None:
    """A new event is found among large ones without reading them all."""
    stream = keys.topic(PARTITION, MESSAGES)
    for _ in range(NUMBER):
        redis_client.execute_command("XADD", stream, "*", *fields_of(large(key_of(PARTITION))))
    sought = event(key=key_of(PARTITION))
    redis_client.execute_command("XADD", stream, "*", *fields_of(sought))
    link = await open_link(12 * MB)
    assert await is_among_newest(reach(link), stream, sought.id, 200)
    assert link.received < 5 * MB


async def test_tail(open_link: OpenLink, reach: Reach, redis_client: "redis.Redis") -> None:
    """If an entry of each stream is too much at once, a few streams are read at a time, until all has arrived."""
    topics = DEFAULT_TOPICS[:2]
    follower = Follower(reach(await open_link(8 * MB)), PARTITIONS, topics)
    await follower.start()
    names = [(partition, topic) for partition in range(PARTITIONS) for topic in topics] * 2
    wanted = [large(key_of(partition)) for partition, _ in names]
    for one, (partition, topic) in zip(wanted, names, strict=True):
        redis_client.execute_command("XADD", keys.topic(partition, topic), "*", *fields_of(one))
    (group,) = follower.groups()
    timeline, arrived, failures = Timeline(lambda _topic, _event: True), list[Arrival](), 0
    while len(arrived) < len(wanted):
        try:
            arrived += (new := await follower.wait(group, 0.01))
        except BrokerUnavailableError:
            failures += 1
        else:
            timeline.accepted(new)
    assert 1 <= failures <= 2
    assert len({arrival.place for arrival in arrived}) == len(wanted)
    assert await follower.removed([arrival.place for arrival in arrived]) == []


async def test_tail_of_dead_letters(open_link: OpenLink, reach: Reach, redis_client: "redis.Redis") -> None:
    """Dead letters are read some at a time, each once."""
    follower = Follower(reach(await open_link(12 * MB)), PARTITIONS, DEFAULT_TOPICS)
    await follower.start()
    ids = [
        str(DeadLetterId(partition, entry)) for partition in range(PARTITIONS) for entry in bury(redis_client, 5, MB, partition)
    ]
    found, more = list[str](), True
    while more:
        try:
            letters, more = await follower.new_dead_letters()
        except BrokerUnavailableError:
            continue
        found += [str(letter.id) for letter in letters]
    assert sorted(found) == sorted(ids)
