"""`hookline pause` and `hookline resume`, as operators use them."""

import asyncio
from pathlib import Path

import msgspec
import pytest
import redis

from hookline_shared.event import SCHEMA
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.waiting.pauses import Pause, PauseStore
from hookline_shared.topics import CALLS, MESSAGES
from tests.support.processes.command import Command, Result, ended
from tests.support.processor.events import key_of
from tests.support.processor.feed import PARTITION, Feed
from tests.support.processor.waiting_lanes import put_waiting
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored

KEY = key_of(PARTITION)
WHY = ("--why", "a reason")


@pytest.fixture
def command(tmp_path: Path, redis_url: str, redis_client: "redis.Redis") -> Command:
    """Return `hookline` on a Redis that a service has used."""
    redis_client.hset(keys.layout, mapping={"partitions": str(PARTITIONS), "schema": SCHEMA})
    return Command(tmp_path, redis_url)


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["--topic", MESSAGES], (MESSAGES, "", "")),
        (["--kind", "message.received"], ("", "message.received", "")),
        (["--kind", "conversation.*", "--topic", "conversations"], ("conversations", "conversation.*", "")),
        (["--conversation", "a:b"], ("", "", "a:b")),
        (["--from", "+14155550123", "--to", "+18005551212"], ("", "", "+14155550123:+18005551212")),
        (["--all"], ("", "", "")),
    ],
)
def test_pause_and_resume(command: Command, words: list[str], target: tuple[str, str, str]) -> None:
    """A pause has what it holds, who, why and since when; `resume` with the same options, or its id, or --all ends it."""
    for way in ([*words], ["ID"], ["--all"]):
        made = command.run("pause", *words, *WHY, "--who", "me", "--json").json
        assert (made["topic"], made["kind"], made["key"]) == target
        (listed,) = command.run("pause", "list", "--json", "--reveal").json["pauses"]
        assert listed == made
        assert (made["who"], made["why"], made["until_ms"]) == ("me", "a reason", None)
        assert "no end" in command.run("pause", "list").out
        resumed = command.run("resume", *(made["id"] if word == "ID" else word for word in way))
        assert (resumed.code, made["id"] in resumed.out) == (0, True), resumed
        assert command.run("pause", "list").out == "Nothing is paused.\n"


def test_a_pause_has_an_end(command: Command, redis_client: "redis.Redis") -> None:
    """With --for it ends by itself; the next command that looks at pauses removes it."""
    made = command.run("pause", "--topic", MESSAGES, *WHY, "--for", "2h", "--json").json
    assert made["until_ms"] - made["since_ms"] == 7_200_000
    assert "ends in" in command.run("pause", "list").out
    store = Pause(id="old", since_ms=1000, until_ms=2000)
    redis_client.hset(keys.pauses, "old", _json(store))
    assert [one["id"] for one in command.run("pause", "list", "--json").json["pauses"]] == [made["id"]]
    assert redis_client.hlen(keys.pauses) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([*WHY], "Choose what to pause"),
        (["--all", "--topic", MESSAGES, *WHY], "Choose what to pause"),
        (["--topic", "mesages", *WHY], "The topics are messages, calls"),
        (["--kind", "message.recieved", *WHY], "The kinds are message.received, message.status"),
        (["--kind", "conversation", *WHY], "conversation.*"),
        (["--from", "+1", *WHY], "belong together"),
        (["--conversation", "a", "--from", "+1", "--to", "+2", *WHY], "not by both"),
        (["--all"], "--why"),
        (["--all", *WHY, "--for", "0s"], "longer than nothing"),
    ],
)
def test_mistakes_are_explained(command: Command, words: list[str], told: str) -> None:
    """Nothing is paused, and the line says what is possible."""
    result = command.run("pause", *words)
    assert result.code == 1
    assert told in result.err
    assert command.run("pause", "list", "--json").json == {"pauses": []}


def test_resume_of_what_is_not_paused(command: Command) -> None:
    """It says so, and resumes nothing."""
    command.run("pause", "--topic", MESSAGES, *WHY)
    assert "not found" in command.run("resume", "ffffffff").err
    assert "No pause was set with exactly these options" in command.run("resume", "--topic", CALLS).err
    assert command.run("resume").code == 1
    assert len(command.run("pause", "list", "--json").json["pauses"]) == 1
    assert command.run("resume", "--all").code == 0
    assert command.run("resume", "--all").out == "Nothing is paused.\n"


async def test_pauses_are_shown_everywhere(
    command: Command, feed: Feed, redis_client: "redis.Redis", broker: RedisConnectionManager
) -> None:
    """`status` and `show` name the pause, also of an event that is not read yet. Personal keys are masked."""
    (one,) = await feed.put(1)
    redis_client.hset(keys.pauses, "p1", _json(Pause(id="p1", key=one.key, who="me", why="case 812", since_ms=1)))
    assert [pause.id for pause in await PauseStore(broker).read()] == ["p1"]
    shown = await asyncio.to_thread(command.run, "show", one.id)
    assert "p1: conversation" in shown.out
    assert "by me: case 812" in shown.out
    found = (await asyncio.to_thread(command.run, "show", one.id, "--json")).json["unsettled"][0]
    assert (found["state"], found["paused_by"]) == ("unread", ["p1"])
    status = await run_status(command, "--json")
    assert [(pause["id"], pause["who"], pause["why"]) for pause in status.json["pauses"]] == [("p1", "me", "case 812")]
    table = await run_status(command)
    assert "case 812" in table.out
    assert "1 pause holds events" in table.out


async def test_list_of_waiting_events_names_a_paused_topic(command: Command, feed: Feed, redis_client: "redis.Redis") -> None:
    """Events of a paused topic are unread, so no conversation waits; the list says so, with their number."""
    await feed.put(3)
    redis_client.hset(keys.pauses, "p1", _json(Pause(id="p1", topic=MESSAGES, who="me", why="case 812", since_ms=1)))
    listed = (await asyncio.to_thread(command.run, "retry", "list")).out
    assert "Nothing waits" not in listed
    for expected in ("paused p1: topic messages", "by me: case 812", "unsettled events: messages 3"):
        assert expected in listed
    (paused,) = (await asyncio.to_thread(command.run, "retry", "list", "--json")).json["paused"]
    assert (paused["id"], paused["unsettled"]) == ("p1", {MESSAGES: 3})
    assert (await asyncio.to_thread(command.run, "retry", "list", "--topic", CALLS)).out == "Nothing waits.\n"


async def test_doctor_warns_of_a_forgotten_pause(command: Command, redis_client: "redis.Redis") -> None:
    """One that is older than a day and has no end is a warning with who, why, and how to end it."""
    redis_client.hset(keys.pauses, "p1", _json(Pause(id="p1", topic=MESSAGES, who="me", why="case 812", since_ms=1)))

    def wait() -> Result:
        with command.started("doctor", "--json") as process:
            return ended(process)

    found = [one for one in (await asyncio.to_thread(wait)).json["findings"] if one["check"] == "pauses"]
    assert [one["level"] for one in found] == ["warning"]
    assert "by me: case 812" in found[0]["found"]
    assert "hookline resume p1" in found[0]["remedy"]


async def test_waiting_events_are_shown(
    command: Command, broker: RedisConnectionManager, consumer: Consumer, stored: Stored
) -> None:
    """`show` says what an event waits for, or behind which one; `status` counts it."""
    first, _ = await put_waiting(broker, consumer, KEY, 2, "breaker:crm")
    ids = [one.id for one in stored.events(MESSAGES)]
    shown = [(await asyncio.to_thread(command.run, "show", one)).out for one in ids]
    assert "waits until the breaker crm closes" in shown[0]
    assert f"waits behind entry {first} of its conversation, which waits until the breaker crm closes" in shown[1]
    found = (await asyncio.to_thread(command.run, "show", ids[1], "--json")).json["unsettled"][0]
    assert (found["state"], found["waits_for"], found["waits_behind"]) == ("waiting", "breaker:crm", first)
    topic = (await run_status(command, "--json")).json["topics"][MESSAGES]
    assert (topic["events"], topic["pending"], topic["waiting"], topic["scheduled"]) == (2, 2, 1, 0)


async def run_status(command: Command, *words: str) -> Result:
    """Run `hookline status`, which prints what is in Redis although no service runs."""

    def wait() -> Result:
        with command.started("status", *words) as process:
            return ended(process)

    return await asyncio.to_thread(wait)


def _json(pause: Pause) -> bytes:
    return msgspec.json.encode(pause)
