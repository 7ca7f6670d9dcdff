"""`hookline dead`, as an operator and as a script use it."""

import resource
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
import redis

from hookline_shared.event import Event, decode
from hookline_shared.topics import MESSAGES
from tests.support.processes.command import Command, Result, ended, interrupt
from tests.support.servers.ports import free_port
from tests.support.storage.dead_letters import DEATH_CASES, StoredDeadLetter, deaths, write_dead_letters
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored
from tests.support.waiting import until_now

_NUMBER = "+14155550123"


@pytest.fixture
def command(tmp_path: Path, redis_url: str) -> Command:
    """Return `hookline` on an empty Redis."""
    return Command(tmp_path, redis_url)


def by_key(events: Iterable[Event]) -> dict[str, list[str]]:
    """Return the ids of the events of each key, in their order."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in events:
        found[one.key].append(one.id)
    return dict(found)


def events_of(buried: Sequence[StoredDeadLetter], topic: str) -> list[Event]:
    return [one.event for one in buried if one.topic == topic]


def dead(stored: Stored) -> int:
    return sum(len(stored.dead_letters(partition)) for partition in range(PARTITIONS))


def refused(result: Result) -> str:
    """Return the one line in which a command says why it did nothing."""
    assert result.code == 1, result
    assert "Traceback" not in result.err
    last = result.err.splitlines()[-1]
    assert last.startswith("hookline: ")
    return last


def put(client: "redis.Redis", *fields: bytes | str, partition: int = 0) -> str:
    client.hset(keys.layout, mapping={"partitions": str(PARTITIONS)})
    return f"{partition}:{client.execute_command('XADD', keys.dead(partition), '*', *fields).decode()}"


def test_list_of_five_thousand(command: Command, redis_client: "redis.Redis") -> None:
    """A filtered list of 5 000 is there at once, complete, with nothing personal in it."""
    write_dead_letters(redis_client, 5000)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with command.started("dead", "list", "--topic", MESSAGES, "--error", "SHOP", "--limit", "20") as process:
        result = ended(process)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert len(lines) == 1 + 20 + 2, result.out
    assert lines[-1] == "1667 dead letters (the newest 20 shown, add --limit): exhausted 1667"
    assert "TimeoutError: the shop did not answer +***23" in lines[1]
    assert _NUMBER not in result.out
    assert used.ru_utime - before.ru_utime < 1.5, "half a second of a processor is usual"


def test_list_selects_and_counts(command: Command, redis_client: "redis.Redis") -> None:
    """Every filter selects, the newest come last, and the counts are those of all that fit."""
    buried = write_dead_letters(redis_client, 30)
    everything = command.run("dead", "list", "--json").json
    assert everything["reasons"] == {"exhausted": 10, "rejected": 10, "unhandled": 10}
    assert [one["died_at"] for one in everything["letters"]] == sorted(one["died_at"] for one in everything["letters"])
    assert {one["event_id"] for one in everything["letters"]} == {one.event.id for one in buried}

    def count(*words: str) -> int:
        return int(command.run("dead", "list", "--json", *words).json["total"])

    assert count("--kind", "conversation.*") == 10
    assert count("--kind", "call.received", "--kind", "message.received") == 20
    assert count("--reason", "rejected", "--topic", MESSAGES) == 0
    assert count("--key", buried[0].event.key) == 1
    sid = buried[4].event.body.partition(b"=")[2][:34].decode()
    assert count("--sid", sid) == 1
    assert count("--older-than", "1h") == 0
    assert count("--newer-than", "1h") == 30
    assert [one["count"] for one in everything["errors"]] == [10, 10, 10]
    by_error = command.run("dead", "list").out.splitlines()
    assert len(by_error) == 1 + 3 + 1 + 2, by_error
    unknown = command.run("dead", "list", "--topic", "massages")
    assert (unknown.code, "Did you mean messages?" in unknown.err) == (1, True), unknown
    assert "No matching dead letters." in command.run("dead", "list", "--account", "AC2").out


def test_show_masks_unless_told(command: Command, redis_client: "redis.Redis") -> None:
    """Everything is shown, the traceback too, and what people wrote only on demand."""
    write_dead_letters(redis_client, 1)
    (letter,) = command.run("dead", "list", "--json").json["letters"]
    masked = command.run("dead", "show", letter["id"])
    assert masked.code == 0, masked.err
    for word in ("message.received", "exhausted", 'File "bot.py", line 7', "+***23", letter["event_id"], "[7 characters]"):
        assert word in masked.out
    assert _NUMBER not in masked.out
    assert "hello" not in masked.out
    shown = command.run("dead", "show", letter["id"], "--reveal")
    assert _NUMBER in shown.out
    assert "hello 0" in shown.out
    assert command.run("dead", "show", letter["id"], "--json", "--reveal").json["parameters"]["Body"] == "hello 0"


def test_undecodable_can_be_handled(command: Command, redis_client: "redis.Redis", stored: Stored) -> None:
    """What is no event can be listed, shown and discarded; replayed only by force, and the command says so."""
    odd = put(redis_client, "v", "99", b"\xff\x1b[31m", b"\x00", "dead.reason", "undecodable", "dead.topic", MESSAGES)
    assert odd in command.run("dead", "list").out
    shown = command.run("dead", "show", odd, "--reveal").out
    assert "\x1b" not in shown
    assert "\\xff\\x1b[31m" in shown
    result = command.run("dead", "replay", odd)
    assert (result.code, result.out) == (1, "0 replayed.\n")
    assert "1 not replayed: this version cannot decode them" in result.err
    assert dead(stored) == 1
    assert command.run("dead", "replay", odd, "--force").out == "1 replayed.\n"
    assert len(stored.entries(0, MESSAGES)) == 1
    second = put(redis_client, "x", "y", "dead.reason", "undecodable")
    assert command.run("dead", "discard", second, "--why", "no event", "--yes").out == "1 discarded.\n"


def test_replay_resumes_after_ctrl_c(command: Command, redis_client: "redis.Redis", stored: Stored) -> None:
    """2 000 of 6 000 are replayed, interrupted and resumed: each once, those of a key in the order of their events."""
    buried = write_dead_letters(redis_client, 6000, shuffled=True)
    words = ("dead", "replay", "--topic", MESSAGES, "--yes", "--json")
    with command.started(*words, "--rate", "500") as process:
        until_now(lambda: len(stored.events(MESSAGES)) > 100, "some are replayed")
        stopped = interrupt(process)
    assert stopped.code == 130, stopped
    told = stopped.json
    assert told["interrupted"]
    assert 100 < told["replayed"] < 2000
    assert told["replayed"] + told["left"] == 2000
    assert len(stored.events(MESSAGES)) == told["replayed"]
    rest = command.run(*words, "--rate", "100000")
    assert rest.code == 0, rest
    assert rest.json == {"replayed": told["left"], "gone": 0, "left": 0, "refused": {}, "interrupted": False}
    wanted = events_of(buried, MESSAGES)
    assert sorted(one.id for one in stored.events(MESSAGES)) == sorted(one.id for one in wanted)
    assert by_key(stored.events(MESSAGES)) == by_key(wanted)
    assert dead(stored) == 4000
    assert command.run(*words).json["replayed"] == 0


def test_two_replay_at_once(command: Command, redis_client: "redis.Redis", stored: Stored) -> None:
    """Two people who replay the same letters replay each once, and in order."""
    buried = write_dead_letters(redis_client, 3000, cases=DEATH_CASES[:1], shuffled=True)
    words = ("dead", "replay", "--topic", MESSAGES, "--yes", "--json", "--rate", "1500")
    with command.started(*words) as first, command.started(*words) as second:
        results = [ended(first).json, ended(second).json]
    assert sum(result["replayed"] for result in results) == 3000
    assert by_key(stored.events(MESSAGES)) == by_key(one.event for one in buried)
    assert dead(stored) == 0


def test_replay_asks_first(command: Command, redis_client: "redis.Redis", stored: Stored) -> None:
    """Many letters are not replayed without a yes, nor any without saying which; a few are."""
    write_dead_letters(redis_client, 90)
    assert "add --yes" in refused(command.run("dead", "replay", "--all"))
    assert "Choose the dead letters" in refused(command.run("dead", "replay"))
    assert "Choose the dead letters" in refused(command.run("dead", "replay", "--all", "--topic", MESSAGES))
    preview = command.run("dead", "replay", "--all", "--dry-run")
    assert preview.code == 0
    assert preview.out.startswith("90 dead letters would be replayed.")
    assert command.run("dead", "replay", "--all", "--dry-run", "--json").json["would_replay"] == 90
    assert dead(stored) == 90
    some = [one["id"] for one in command.run("dead", "list", "--json", "--limit", "3").json["letters"]]
    assert command.run("dead", "replay", *some).out == "3 replayed.\n"
    again = command.run("dead", "replay", *some)
    assert (again.code, again.out) == (0, "0 replayed. 3 not found: already replayed or discarded.\n")


def test_unknown_topic_is_not_replayed(command: Command, redis_client: "redis.Redis", stored: Stored) -> None:
    """Nobody would read what is put into a topic that is not known; the command says how to make it known."""
    ((_, fields),) = deaths(1)
    fields[fields.index("dead.topic") + 1] = "orders"
    letter = put(redis_client, *fields)
    result = command.run("dead", "replay", letter)
    assert result.code == 1
    assert "HOOKLINE_CONFIG" in result.err
    assert dead(stored) == 1


def test_discard_leaves_a_record(command: Command, redis_client: "redis.Redis", stored: Stored) -> None:
    """Letters are discarded on a yes and with a reason, and `hookline show` knows of it afterwards."""
    buried = write_dead_letters(redis_client, 30)
    words = ("dead", "discard", "--reason", "rejected")
    assert "--why" in refused(command.run(*words, "--yes"))
    assert "add --yes" in refused(command.run(*words, "--why", "a test"))
    assert command.run(*words, "--dry-run", "--json").json == {"would_discard": 10, "reasons": {"rejected": 10}}
    assert dead(stored) == 30
    done = command.run(*words, "--why", "a test", "--who", "ann", "--yes", "--json")
    assert done.json == {"discarded": 10, "gone": 0, "left": 0, "interrupted": False}
    assert dead(stored) == 20
    shown = command.run("show", buried[1].event.id)
    assert shown.code == 0, shown.err
    assert "Discarded dead letter" in shown.out
    assert "ann" in shown.out
    assert "a test" in shown.out
    records = str([redis_client.xrange(keys.discarded(partition)) for partition in range(PARTITIONS)])
    assert records.count("a test") == 10
    assert "hello" not in records
    assert "+1415" not in records


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "1718"), "is not the id of a dead letter"),
        (("show", "0:1-0"), "Dead letter 0:1-0 not found"),
        (("show", "9:1-0"), "Dead letter 9:1-0 not found"),
        (("list", "--sid", "SM1"), "is not a SID"),
    ],
)
def test_mistakes_end_in_one_line(command: Command, redis_client: "redis.Redis", words: Sequence[str], message: str) -> None:
    """Whatever a person gets wrong, one line says what to do."""
    write_dead_letters(redis_client, 1)
    assert message in refused(command.run("dead", *words))


def test_odd_spans_are_refused(command: Command) -> None:
    """An age that cannot be read is a mistake in the use of the command."""
    result = command.run("dead", "list", "--older-than", "soon")
    assert result.code == 2
    assert "neither an age such as" in result.err


def test_without_redis_or_hookline(tmp_path: Path, command: Command) -> None:
    """A Redis that is away, and one in which nothing of Hookline's ever was, are told from an empty list."""
    assert "No Hookline service has used this Redis" in refused(command.run("dead", "list"))
    away = Command(tmp_path, f"redis://127.0.0.1:{free_port()}/0")
    assert "Redis cannot be reached" in refused(away.run("dead", "list"))
    nowhere = Command(tmp_path, f"redis+sentinel://127.0.0.1:{free_port()}/main/0")
    assert "No Sentinel knows" in refused(nowhere.run("dead", "list"))


def test_lives_are_told(command: Command, redis_client: "redis.Redis", stored: Stored) -> None:
    """An event that dies again after a replay says how often it was replayed, and how it first died."""
    write_dead_letters(redis_client, 1, cases=DEATH_CASES[:1])
    command.run("dead", "replay", "--all")
    ((partition, _, fields),) = [(p, e, f) for p in range(PARTITIONS) for e, f in stored.entries(p, MESSAGES)]
    assert decode(fields).kind == "message.received"
    letter = put(redis_client, *fields, "dead.reason", "rejected", "dead.topic", MESSAGES, partition=partition)
    told = command.run("dead", "show", letter, "--json").json
    assert told["lives"] == 1
    assert told["first_life"]["reason"] == "exhausted"
    assert "replayed 1x" in command.run("dead", "list", "--each").out
