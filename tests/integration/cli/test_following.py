"""`hookline show` and `hookline tail`: looking at events without touching them."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import IO, Any

import msgspec
import pytest
import redis

from hookline_processor.partition.outcomes import dead_letter_fields
from hookline_processor.retry_record import Record, encode_record
from hookline_processor.verdicts import Dead, Failure, Reason
from hookline_shared.event import SCHEMA, Event
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.follow import Arrival, Follower
from hookline_shared.streams.settlements import record_name
from hookline_shared.streams.waiting.index import lane_id
from hookline_shared.topics import DEFAULT_TOPICS, MESSAGES, STATUSES
from tests.integration.conftest import Connect
from tests.support.processes.command import Command
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION, Feed, read
from tests.support.servers.cluster_set import ClusterSet
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.dead_letters import fields_of
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS
from tests.support.waiting import until_now

SID = "SM" + "0123456789abcdef" * 2
_GROUP = "XGROUP CREATE {} " + GROUP + " 0 MKSTREAM"


@pytest.fixture
def command(tmp_path: Path, redis_url: str, redis_client: "redis.Redis") -> Command:
    """Return `hookline` on a Redis that a service has used."""
    redis_client.hset(keys.layout, mapping={"partitions": str(PARTITIONS), "schema": SCHEMA})
    return Command(tmp_path, redis_url)


def add(client: Any, one: Event, topic: str = MESSAGES, partition: int = PARTITION) -> str:
    """Append `one`, as ingress does; return its entry id."""
    words = ("XADD", keys.topic(partition, topic), "*", *fields_of(one))
    return str(client.execute_command(*words).decode())


def one_event(**named: Any) -> Event:
    return event(key=key_of(PARTITION), body=f"MessageSid={SID}&Body=hello&From=%2B14155550123".encode(), **named)


def take(client: "redis.Redis", topic: str = MESSAGES) -> None:
    """Read what is new in `topic`, as a processor does."""
    stream = keys.topic(PARTITION, topic)
    if not client.exists(stream) or not client.xinfo_groups(stream):
        client.execute_command(*_GROUP.format(stream).split())
    client.execute_command("XREADGROUP", "GROUP", GROUP, "processor", "STREAMS", stream, ">")


def wait(client: "redis.Redis", one: Event, entry: str, condition: str = "") -> None:
    """Let the lane of an event wait until 2096, as its owner does."""
    lane = lane_id(MESSAGES, one.key)
    client.hset(f"{keys.space(PARTITION)}lanes:{MESSAGES}:{lane[0]}{ord(lane[1]) % 16}", lane, entry)
    client.zadd(keys.waiting(PARTITION, MESSAGES, condition), {lane: 4_000_000_000_000})
    if condition:
        client.sadd(keys.conditions(PARTITION), f"{MESSAGES}:{condition}")
    client.xclaim(keys.topic(PARTITION, MESSAGES), GROUP, "waiting", 0, [entry])


def test_show_tells_how_far_an_event_is(command: Command, redis_client: "redis.Redis") -> None:
    """Not read yet, with the processor, or waiting for its next attempt: and what went wrong so far."""
    one = one_event()
    entry = add(redis_client, one)
    shown = command.run("show", one.id)
    assert shown.code == 0, shown
    assert "unread: no processor has read it yet" in shown.out
    assert "hello" not in shown.out
    assert "+1415" not in shown.out
    take(redis_client)
    assert "with a processor" in command.run("show", one.id).out

    failed = Record(failures=3, next_at=4_000_000_000_000, first_failed_at=1_750_000_000_000, error="ValueError: 'hello'")
    redis_client.hset(keys.retries(PARTITION), record_name(MESSAGES, entry), encode_record(failed))
    wait(redis_client, one, entry)
    told = command.run("show", SID).out
    for words in (
        "retry scheduled in",
        "failed attempts  3",
        "ValueError: '[redacted]'",
        f"entry            {entry}",
    ):
        assert words in told
    (found,) = command.run("show", SID, "--json", "--reveal").json["unsettled"]
    assert (found["state"], found["attempts_failed"], found["last_error"]) == ("waiting", 3, "ValueError: 'hello'")
    assert (found["partition"], found["topic"], found["entry"]) == (PARTITION, MESSAGES, entry)
    assert found["parameters"]["Body"] == "hello"


def test_show_gives_all_that_a_sid_names(command: Command, redis_client: "redis.Redis") -> None:
    """The message, its statuses and its dead letters, wherever they are; --limit bounds what is printed, not counted."""
    add(redis_client, one_event())
    for _ in range(3):
        add(redis_client, one_event(), STATUSES)
    extra = dead_letter_fields(Dead(Reason.REJECTED, Failure("Reject", "no"), 1, 5), STATUSES, "1-0", 6)
    redis_client.execute_command("XADD", keys.dead(5), "*", *fields_of(one_event()), *extra)
    found = command.run("show", SID, "--json").json
    assert (found["total"], len(found["unsettled"]), len(found["dead"])) == (5, 4, 1)
    assert found["dead"][0]["reason"] == "rejected"
    text = command.run("show", SID, "--limit", "1").out
    assert "2 of 5 are shown, see --limit." in text
    assert "Dead letter" in text


def test_show_of_what_is_not_there(command: Command) -> None:
    """It says where it looked and what it means, and ends with 1."""
    missing = command.run("show", "0" * 32)
    assert missing.code == 1
    for words in ("messages, calls", "dead letters", "all 8 partitions", "either settled", "never accepted", "spool"):
        assert words in missing.err
    assert "neither an event id" in command.run("show", "SM1").err


def test_show_reads_an_undecodable_entry(command: Command, redis_client: "redis.Redis") -> None:
    """An entry that is no event is found by a SID in it."""
    redis_client.execute_command("XADD", keys.topic(0, MESSAGES), "*", "v", "9", "x", SID)
    assert "cannot be decoded" in command.run("show", SID).out
    assert command.run("show", SID, "--json").json["unsettled"][0]["fields"] == [
        "[1 bytes]",
        "[1 bytes]",
        "[1 bytes]",
        "[34 bytes]",
    ]


class Watched:
    """A running `hookline tail --json`, and what it printed so far."""

    def __init__(self, out: IO[str]) -> None:
        self.lines: list[Any] = []
        self._out = out
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def find(self, what: str, event_id: str) -> Any:
        """Return the line that says that `what` happened to an event, or None."""
        return next((line for line in self.lines if (line["what"], line.get("event_id")) == (what, event_id)), None)

    def _read(self) -> None:
        for line in self._out:
            self.lines.append(msgspec.json.decode(line))

    def end(self) -> None:
        """Wait for the last line."""
        self._thread.join()


@pytest.fixture
def no_trace(redis_client: "redis.Redis") -> Iterator[None]:
    """See to it that nothing in Redis differs afterwards but what the test itself did."""
    yield
    for partition in range(PARTITIONS):
        stream = keys.topic(partition, MESSAGES)
        if redis_client.exists(stream):
            assert {group["name"] for group in redis_client.xinfo_groups(stream)} <= {GROUP.encode()}


@pytest.mark.usefixtures("no_trace")
def test_tail_follows_events_to_their_end(command: Command, redis_client: "redis.Redis") -> None:
    """Each wanted event is reported when it comes, when it is settled, and when it dies; Ctrl-C ends it with 0."""
    before, settled, dying, other = one_event(), one_event(), one_event(), one_event()
    early = add(redis_client, before)
    stream = keys.topic(PARTITION, MESSAGES)
    with command.started("tail", "--topic", MESSAGES, "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "Ctrl-C" in process.stderr.readline()
        watched = Watched(process.stdout)
        add(redis_client, other, STATUSES)
        first, second = add(redis_client, settled), add(redis_client, dying)
        until_now(lambda: watched.find("accepted", settled.id) and watched.find("accepted", dying.id), "both are accepted")
        redis_client.xdel(stream, first)
        until_now(lambda: watched.find("settled", settled.id), "one is settled")
        for entry, one in ((second, dying), (early, before)):
            extra = dead_letter_fields(Dead(Reason.EXHAUSTED, Failure("ValueError", "hello?"), 8, 5), MESSAGES, entry, 6)
            with redis_client.pipeline() as together:
                together.execute_command("XADD", keys.dead(PARTITION), "*", *fields_of(one), *extra)
                together.xdel(stream, entry)
                together.execute()
        until_now(lambda: watched.find("dead", before.id), "both are dead")
        process.send_signal(2)
        assert process.wait() == 0
        watched.end()
    dead = watched.find("dead", dying.id)
    assert (dead["reason"], dead["error"], dead["key"]) == ("exhausted", "ValueError: [redacted]?", "***")
    assert watched.find("settled", dying.id) is None
    assert watched.find("accepted", before.id) is None
    assert {line.get("event_id") for line in watched.lines} == {before.id, settled.id, dying.id}
    assert "body" not in dead


def test_tail_refuses_an_unknown_topic(command: Command) -> None:
    """A misspelt topic would stay silent for ever."""
    assert (
        "Topic massages not found. Did you mean messages? The topics are messages,"
        in command.run("tail", "--topic", "massages").err
    )


@pytest.mark.parametrize("forbidden", ["xread", "time"])
def test_tail_without_permission(tmp_path: Path, own_redis: RedisServer, forbidden: str) -> None:
    """What the user may not do will not pass, so it is not waited for."""
    with own_redis.client as client:
        client.hset(keys.layout, mapping={"partitions": str(PARTITIONS), "schema": SCHEMA})
        client.execute_command("ACL", "SETUSER", "looker", "on", ">pw", "~*", "+@all", f"-{forbidden}")
    ended = Command(tmp_path, own_redis.url.replace("redis://", "redis://looker:pw@")).run("tail")
    assert ended.code == 1
    assert f"'{forbidden}'" in ended.err
    assert "grant it with ACL SETUSER" in ended.err


def test_tail_of_a_pipe_that_closes(command: Command, redis_client: "redis.Redis") -> None:
    """Whoever has read enough ends it, without a traceback."""
    with command.started("tail") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.readline()
        process.stdout.close()
        process.stdout = None
        until_now(lambda: (add(redis_client, one_event()), process.poll() is not None)[1], "it has ended")
        assert "Traceback" not in process.stderr.read()


def test_tail_outlasts_redis(tmp_path: Path, own_redis: Any) -> None:
    """Redis being away is said once, and the following goes on when it is back."""
    with own_redis.client as client:
        client.hset(keys.layout, mapping={"partitions": str(PARTITIONS), "schema": SCHEMA})
    with Command(tmp_path, own_redis.url).started("tail", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.readline()
        watched = Watched(process.stdout)
        own_redis.kill()
        assert "Waiting for Redis" in process.stderr.readline()
        own_redis.start()
        one = one_event()
        with own_redis.client as client:
            add(client, one)
        until_now(lambda: watched.find("accepted", one.id), "it follows again")
        assert interrupt_quietly(process) == 0
        watched.end()


def interrupt_quietly(process: Any) -> int:
    process.send_signal(2)
    return int(process.wait())


async def test_following_beside_a_processor(
    broker: RedisConnectionManager, consumer: Consumer, feed: Feed, redis_client: "redis.Redis"
) -> None:
    """What is followed is still delivered to the processor, all of it, and stays pending there as before."""
    follower = Follower(broker, PARTITIONS, DEFAULT_TOPICS)
    await follower.start()
    (group,) = follower.groups()
    events = await feed.put(20)
    arrived: list[Arrival] = []
    while len(arrived) < len(events):
        arrived += await follower.wait(group, 1)
    assert len(arrived) == 20
    assert len(await read(consumer)) == 20
    places = [arrival.place for arrival in arrived]
    assert await follower.removed(places) == []
    redis_client.xdel(keys.topic(PARTITION, MESSAGES), places[3].entry, places[7].entry)
    assert await follower.removed(places) == [places[3], places[7]]
    assert await follower.new_dead_letters() == ([], False)
    assert len(events) == 20


async def test_following_in_a_cluster(connect: Connect, cluster_set: ClusterSet) -> None:
    """In a cluster each partition is waited for by itself; nothing is missed."""
    broker = connect(cluster_set.url, blocking_pool_size=PARTITIONS)
    await broker.monitor.locate()
    follower = Follower(broker, PARTITIONS, DEFAULT_TOPICS)
    await follower.start()
    assert follower.groups() == [[partition] for partition in range(PARTITIONS)]
    with cluster_set.client as client:
        for partition in range(PARTITIONS):
            add(client, event(key=key_of(partition)), partition=partition)
        client.execute_command("XADD", keys.dead(3), "*", "dead.reason", "lost")
    arrived = [one for group in follower.groups() for one in await follower.wait(group, 1)]
    assert [one.place.partition for one in arrived] == list(range(PARTITIONS))
    assert await follower.removed([one.place for one in arrived]) == []
    letters, _ = await follower.new_dead_letters()
    assert [str(found.id)[:2] for found in letters] == ["3:"]
