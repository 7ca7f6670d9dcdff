"""`hookline retry`, as operators and scripts use it."""

import asyncio
from pathlib import Path

import pytest
import redis

from hookline_shared.event import SCHEMA
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.waiting.index import LATER
from hookline_shared.topics import CALLS, MESSAGES
from tests.support.processes.command import Command, Result, interrupt
from tests.support.processor.events import key_of
from tests.support.processor.feed import PARTITION, Feed, read
from tests.support.processor.waiting_lanes import put_waiting
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored
from tests.support.waiting import until

KEYS = [key_of(PARTITION, nth) for nth in range(3)]
WHY = ("--why", "wrong order", "--yes")


class Operator:
    """Runs `hookline` on a Redis that a service has used, while the test's own loop runs."""

    def __init__(self, command: Command) -> None:
        self._command = command

    async def run(self, *words: str) -> Result:
        """Run `hookline retry` in a process of its own."""

        def wait() -> Result:
            with self._command.started("retry", *words) as process:
                out, err = process.communicate(timeout=60)
                return Result(process.returncode, out, err)

        return await asyncio.to_thread(wait)


@pytest.fixture
def operator(tmp_path: Path, redis_url: str, redis_client: "redis.Redis") -> Operator:
    redis_client.hset(keys.layout, mapping={"partitions": str(PARTITIONS), "schema": SCHEMA})
    return Operator(Command(tmp_path, redis_url))


async def test_list_groups_by_what_lanes_wait_for(
    operator: Operator, broker: RedisConnectionManager, consumer: Consumer
) -> None:
    """Each topic and each reason with their number and times; short and long waits for a time are one group."""
    assert (await operator.run("list")).out == "Nothing waits.\n"
    await put_waiting(broker, consumer, KEYS[0], 2, time_ms=4_000_000_000_000)
    await put_waiting(broker, consumer, KEYS[1], 1, LATER, time_ms=4_000_000_100_000)
    await put_waiting(broker, consumer, KEYS[2], 1, "pause:1234", time_ms=4_000_000_000_000)
    await put_waiting(broker, consumer, KEYS[2], 1, "breaker:crm", time_ms=1_750_000_000_000, topic=CALLS)
    found = (await operator.run("list", "--json")).json["waiting"]
    assert [(one["waits_for"], one["topic"], one["conversations"]) for one in found] == [
        ("time", MESSAGES, 2),
        ("breaker:crm", CALLS, 1),
        ("pause:1234", MESSAGES, 1),
    ]
    assert (found[0]["earliest_ms"], found[0]["latest_ms"]) == (4_000_000_000_000, 4_000_000_100_000)
    assert found[1]["waiting_since_ms"] == 1_750_000_000_000
    table = (await operator.run("list", "--topic", CALLS)).out
    assert "breaker:crm" in table
    assert MESSAGES not in table
    assert "since" in table


@pytest.mark.parametrize(
    ("words", "due"),
    [
        (("--all", "--yes"), 3),
        (("--topic", MESSAGES), 3),
        (("--topic", CALLS), 0),
        (("--kind", "message.*"), 3),
        (("--kind", "call.status"), 0),
        (("--conversation", KEYS[1]), 1),
    ],
)
async def test_now(
    operator: Operator,
    broker: RedisConnectionManager,
    consumer: Consumer,
    redis_client: "redis.Redis",
    words: tuple[str, ...],
    due: int,
) -> None:
    """What matches is due now; a dry run only counts."""
    for key, condition in zip(KEYS, ("", LATER, "breaker:crm"), strict=True):
        await put_waiting(broker, consumer, key, 2, condition)
    dry = await operator.run("now", *words, "--dry-run", "--json")
    assert dry.json == {"would_be_due": due}
    assert redis_client.zcount(keys.waiting(PARTITION, MESSAGES), 0, 0) == 0
    done = await operator.run("now", *words, "--json")
    assert (done.code, done.json["due"], done.json["interrupted"]) == (0, due, False), done
    assert redis_client.zcount(keys.waiting(PARTITION, MESSAGES), 0, 0) == due


async def test_now_tells_what_it_cannot_do(
    operator: Operator, broker: RedisConnectionManager, consumer: Consumer, feed: Feed, redis_client: "redis.Redis"
) -> None:
    """A paused conversation goes on waiting; an event in memory, or one that was not read, does not wait."""
    await put_waiting(broker, consumer, KEYS[1], 1, "pause:1234")
    paused = await operator.run("now", "--conversation", KEYS[1])
    assert (paused.code, "1 paused: see `hookline pause list`" in paused.out) == (1, True), paused
    (one,) = await feed.put(1)
    unread = await operator.run("now", "--event", one.id)
    assert (unread.code, "1 not read yet" in unread.out) == (1, True), unread
    await read(consumer)
    busy = await operator.run("now", "--event", one.id)
    assert (busy.code, "being attempted right now" in busy.out) == (1, True), busy
    assert "not found among the unsettled events" in (await operator.run("now", "--event", "0" * 32)).err


async def test_all_needs_confirmation(operator: Operator, broker: RedisConnectionManager, consumer: Consumer) -> None:
    """Without a terminal and --yes, nothing is changed; so it is for every drop."""
    await put_waiting(broker, consumer, KEYS[0])
    for words in (("now", "--all"), ("drop", "--all", "--why", "x"), ("drop", "--topic", MESSAGES, "--why", "x")):
        refused = await operator.run(*words)
        assert (refused.code, "add --yes" in refused.err) == (1, True), refused
    assert "A reason is required" in (await operator.run("drop", "--all", "--yes")).err
    assert "Choose the events" in (await operator.run("now")).err
    assert "The topics are" in (await operator.run("now", "--topic", "mesages")).err
    assert "The kinds are" in (await operator.run("drop", "--kind", "sms", *WHY)).err
    assert (await operator.run("list", "--json")).json["waiting"][0]["conversations"] == 1


async def test_drop_takes_only_the_first_of_each(
    operator: Operator, broker: RedisConnectionManager, consumer: Consumer, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """The waiting event of each conversation is a dead letter with who and why; the ones behind it stay, and are due now."""
    entries = [
        await put_waiting(broker, consumer, key, 2, condition)
        for key, condition in zip(KEYS, ("", LATER, "pause:1234"), strict=True)
    ]
    assert (await operator.run("drop", "--all", "--dry-run", "--json")).json == {"would_drop": 3}
    done = await operator.run("drop", "--all", *WHY, "--who", "me", "--json")
    assert (done.code, done.json["dropped"], done.json["left"]) == (0, 3, 0), done
    letters = [dict(zip(fields[::2], fields[1::2], strict=True)) for _, fields in stored.dead_letters(PARTITION)]
    assert {letter[b"dead.entry"].decode() for letter in letters} == {first for first, _ in entries}
    assert {letter[b"dead.message"] for letter in letters} == {b"me: wrong order"}
    assert sorted(stored.pending(PARTITION, MESSAGES)) == sorted(second for _, second in entries)
    assert redis_client.zcount(keys.waiting(PARTITION, MESSAGES), 0, 0) == 3


async def test_dropped_event_can_be_replayed(
    operator: Operator, broker: RedisConnectionManager, consumer: Consumer, stored: Stored, tmp_path: Path, redis_url: str
) -> None:
    """`dead list` and `dead replay` treat it as any other."""
    await put_waiting(broker, consumer, KEYS[0])
    (one,) = stored.events(MESSAGES)
    assert (await operator.run("drop", "--event", one.id, *WHY)).out == "1 dropped. The events behind them are next.\n"
    command = Command(tmp_path, redis_url)
    assert (await asyncio.to_thread(command.run, "dead", "list", "--reason", "dropped", "--json")).json["total"] == 1
    with command.started("dead", "replay", "--reason", "dropped", "--yes") as process:
        assert await asyncio.to_thread(process.wait, 60) == 0
    assert stored.events(MESSAGES) == [one]
    assert stored.dead_letters(PARTITION) == []


async def test_drop_of_what_is_in_memory(operator: Operator, consumer: Consumer, feed: Feed, stored: Stored) -> None:
    """It says that the event is being attempted, and drops nothing."""
    (one,) = await feed.put(1)
    await read(consumer)
    busy = await operator.run("drop", "--event", one.id, *WHY)
    assert (busy.code, "being attempted right now" in busy.out) == (1, True), busy
    assert stored.dead_letters(PARTITION) == []
    assert stored.events(MESSAGES) == [one]


async def test_thousands_are_due_page_by_page(operator: Operator, redis_client: "redis.Redis") -> None:
    """Each is moved once, whatever it waited for, from every partition."""
    for partition in range(PARTITIONS):
        for condition in ("", LATER, "breaker:crm"):
            lanes = {f"{condition}{number}": 4_000_000_000_000 + number for number in range(700)}
            redis_client.zadd(keys.waiting(partition, MESSAGES, condition), lanes)
            redis_client.sadd(keys.conditions(partition), f"{MESSAGES}:{condition}")
    done = await operator.run("now", "--all", "--yes", "--json")
    assert (done.code, done.json["not_waiting"], done.json["paused"]) == (0, 0, 0), done
    assert done.json["due"] >= 3 * 700 * PARTITIONS, "a page may come twice"
    due = [redis_client.zcount(keys.waiting(partition, MESSAGES), 0, 0) for partition in range(PARTITIONS)]
    assert due == [3 * 700] * PARTITIONS


async def test_interrupted_drop_says_what_is_left(
    operator: Operator, broker: RedisConnectionManager, consumer: Consumer, stored: Stored, tmp_path: Path, redis_url: str
) -> None:
    """After Ctrl-C, what was dropped is a dead letter, and the rest waits as before."""
    for number in range(300):
        await put_waiting(broker, consumer, key_of(PARTITION, number))
    with Command(tmp_path, redis_url).started("retry", "drop", "--all", *WHY, "--json") as process:
        await until(lambda: stored.dead_letters(PARTITION), "some are dropped")
        stopped = await asyncio.to_thread(interrupt, process)
    dropped = len(stored.dead_letters(PARTITION))
    assert dropped + len(stored.entries(PARTITION, MESSAGES)) == 300
    if stopped.code == 130:  # it may have been faster
        assert (stopped.json["dropped"], stopped.json["left"]) == (dropped, 300 - dropped)
