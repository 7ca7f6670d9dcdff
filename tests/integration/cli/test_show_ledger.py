"""`hookline show` with a ledger: one story from Redis and the database."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from hookline_cli.ledger.database import with_engine
from hookline_processor.ledger.database.migrate import migrate
from hookline_processor.ledger.database.store import Store
from hookline_shared.event import SCHEMA
from hookline_shared.topics import STATUSES
from tests.support.processes.command import Command, Result
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION
from tests.support.storage.dead_letters import fields_of
from tests.support.storage.keys import keys
from tests.support.storage.ledger import ledger_settings, message, rows, status
from tests.support.storage.stored import PARTITIONS

SID = "SM" + "0123456789abcdef" * 2


@pytest.fixture
def shown(
    tmp_path: Path, redis_url: str, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Return `hookline show` on a ledger with a message and its status, and a Redis that a service has used."""
    redis_client.hset(keys.layout, mapping={"partitions": str(PARTITIONS), "schema": SCHEMA})
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with_engine(ledger_settings(url), migrate)
    batch = rows(message(SID, "hello"), status(SID, "undelivered", at=3000, ErrorCode="30003"))
    with_engine(ledger_settings(url), lambda engine: Store(engine).write(batch))
    monkeypatch.setenv("HOOKLINE_LEDGER_URL", url)
    command = Command(tmp_path, redis_url)
    return lambda *words: command.run("show", *words)


def in_redis(client: "redis.Redis", **named: Any) -> None:
    one = event(key=key_of(PARTITION), body=f"MessageSid={SID}&MessageStatus=read&From=%2B14155550123".encode(), **named)
    client.execute_command("XADD", keys.topic(PARTITION, STATUSES), "*", *fields_of(one))


def test_story_of_a_message(shown: Callable[..., Result], redis_client: "redis.Redis") -> None:
    """What was settled and what waits are one list, by time; Twilio's error code is explained, and numbers are masked."""
    in_redis(redis_client)
    told = shown(SID)
    assert told.code == 0, told
    story = told.out.split("\n\n")[0].splitlines()
    assert len(story) == 4, told.out
    assert any("received" in line and "handled after 1 attempt" in line for line in story)
    assert any("undelivered" in line and "(error 30003)" in line for line in story)
    assert any("read " in line and "unread: no processor has read it yet" in line for line in story)
    assert story[-1] == "Twilio's error 30003, Unreachable destination handset: see hookline explain 30003"
    assert told.out.count("Settled event") == 2
    assert "+14155550123" not in told.out
    found = shown(SID, "--json", "--reveal").json
    assert ([row["status"] for row in found["settled"]], len(found["unsettled"])) == (["received", "undelivered"], 1)
    assert found["ledger_problem"] is None


def test_settled_event_that_waits_for_the_database(shown: Callable[..., Result], redis_client: "redis.Redis") -> None:
    """It is found in Redis, by its id too, while the database has it not yet."""
    one = event(key=key_of(PARTITION), body=f"MessageSid={SID}&MessageStatus=sent".encode())
    words = [*fields_of(one), "ledger.outcome", "done", "ledger.topic", STATUSES, "ledger.attempts", "2"]
    redis_client.execute_command("XADD", keys.ledger(PARTITION), "*", *words)
    found = shown(one.id)
    assert (found.code, "settled: handled after 2 attempts" in found.out) == (0, True), found
    assert len(shown(SID, "--json").json["settled"]) == 3


def test_ledger_that_cannot_be_searched(shown: Callable[..., Result], tmp_path: Path, redis_client: "redis.Redis") -> None:
    """What Redis has is shown all the same, with why the ledger was not searched."""
    with sqlite3.connect(tmp_path / "ledger.db") as ledger:
        ledger.execute("DROP TABLE ledger_version")
    missing = shown(SID)
    assert (missing.code, "The ledger cannot be searched: The ledger's tables are missing" in missing.err) == (1, True), missing
    in_redis(redis_client)
    told = shown(SID)
    assert (told.code, "tables are missing" in told.err) == (0, True), told


def test_without_a_ledger(tmp_path: Path, redis_url: str, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that settled events leave no trace."""
    redis_client.hset(keys.layout, mapping={"partitions": str(PARTITIONS), "schema": SCHEMA})
    monkeypatch.setenv("HOOKLINE_LEDGER_URL", "")
    assert "There is no ledger" in Command(tmp_path, redis_url).run("show", SID).err
