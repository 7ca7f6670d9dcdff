"""`hookline outbox`, as operators and scripts use it."""

import asyncio
from pathlib import Path

import pytest
import redis

from hookline_processor.replies.outbox_events import outbox_entry
from hookline_shared.clock import SystemClock
from hookline_shared.event import SCHEMA, decode
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import NEW, Consumer
from hookline_shared.streams.outbox import Marks, Place
from hookline_shared.streams.settlements import Outputs, Settlements, WaitingLane
from hookline_shared.streams.waiting.index import lane_id
from hookline_shared.topics import MESSAGES, OUTBOX
from tests.support.processes.command import Command, Result
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION, Feed, claim, read
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored


@pytest.fixture
def command(tmp_path: Path, redis_url: str, redis_client: "redis.Redis") -> Command:
    redis_client.hset(keys.layout, mapping={"partitions": str(PARTITIONS), "schema": SCHEMA})
    return Command(tmp_path, redis_url)


async def run(command: Command, *words: str) -> Result:
    def wait() -> Result:
        with command.started("outbox", *words) as process:
            out, err = process.communicate(timeout=60)
            return Result(process.returncode, out, err)

    return await asyncio.to_thread(wait)


async def test_list_says_how_far_messages_are(command: Command, broker: RedisConnectionManager, consumer: Consumer) -> None:
    """And to whom they go, masked unless somebody wants to see it."""
    assert (await run(command, "list")).out == "The outbox is empty.\n"
    parent = event(key=key_of(PARTITION))
    await Feed(broker).put_all([parent])
    (entry,) = await read(consumer)
    texts = ("hello", "and on", "the end")
    made = [
        outbox_entry(parent, number, {"To": "+14155550123", "From": "+18005551212", "Body": text}, parent.received_at)
        for number, text in enumerate(texts)
    ]
    await consumer.settle(Settlements(done={MESSAGES: [entry.id]}, outputs=[Outputs(MESSAGES, entry.id, made)]))
    marks, fence = Marks(broker, PARTITIONS), await claim(broker)
    await marks.begin(Place(PARTITION, made[1].token), fence, 1, "AC1")
    await marks.sent(Place(PARTITION, made[2].token), "AC1", "SM1")

    found = (await run(command, "list", "--json", "--reveal")).json
    assert found["total"] == 3
    assert [one["state"] for one in found["messages"]] == ["queued", "being sent", "sent as SM1"]
    assert [one["parameters"]["Body"] for one in found["messages"]] == list(texts)
    assert [(one["encoding"], one["segments"]) for one in found["messages"]] == [("GSM-7", 1)] * 3
    table = (await run(command, "list", "--limit", "1")).out
    assert "3 messages in the outbox (1 shown)." in table
    assert "queued" in table
    assert "+14155550123" not in table
    assert "hello" not in table


async def put(consumer: Consumer, broker: RedisConnectionManager, text: str) -> tuple[str, str]:
    """Put a message into the outbox; return its event id and its token."""
    parent = event(key=key_of(PARTITION))
    await Feed(broker).put_all([parent])
    (entry,) = await read(consumer)
    made = outbox_entry(parent, 0, {"To": "+14155550123", "From": "+18005551212", "Body": text}, parent.received_at)
    await consumer.settle(Settlements(done={MESSAGES: [entry.id]}, outputs=[Outputs(MESSAGES, entry.id, [made])]))
    return decode([word.encode() for word in made.fields]).id, made.token


async def test_show_says_what_is_next(command: Command, broker: RedisConnectionManager, consumer: Consumer) -> None:
    """By the event id or the token; texts and numbers are masked."""
    event_id, token = await put(consumer, broker, "x" * 100 + "“hello”")
    shown = (await run(command, "show", event_id)).out
    assert "2 segments of UCS-2" in shown
    assert "It is sent when the messages before it are" in shown
    assert "+14155550123" not in shown
    assert "hello" not in shown
    await Marks(broker, PARTITIONS).begin(Place(PARTITION, token), await claim(broker), 1, "AC1")
    found = (await run(command, "show", token, "--json", "--reveal")).json
    assert (found["event_id"], found["state"], found["encoding"], found["segments"]) == (event_id, "being sent", "UCS-2", 2)
    assert found["parameters"]["To"] == "+14155550123"
    assert found["first_ms"] == found["last_ms"]
    missing = await run(command, "show", "nothing")
    assert missing.code == 1
    assert "hookline dead list --topic outbox" in missing.err


async def test_retry_and_drop(command: Command, broker: RedisConnectionManager, stored: Stored) -> None:
    """A message that waits for its account is due at once, or a dead letter, with its mark as it was."""
    owner = Consumer(broker, PARTITION, [MESSAGES, OUTBOX], await claim(broker))
    await owner.ensure_groups()
    event_id, token = await put(owner, broker, "hello")
    ((_, entries),) = await owner.read({OUTBOX: NEW}, 10)
    later = SystemClock().now_ms() + 3_600_000
    lane = lane_id(OUTBOX, key_of(PARTITION))
    waiting = WaitingLane(OUTBOX, lane, "account:AC1", later, [entries[0].id])
    await owner.settle(Settlements(waiting=[waiting]))
    assert (await run(command, "retry", "--json")).json["due"] == 1
    await owner.settle(Settlements(waiting=[waiting]))
    assert (await run(command, "drop", "--event", event_id, "--dry-run", "--json")).json == {"would_drop": 1}
    dropped = await run(command, "drop", "--event", event_id, "--why", "the order was cancelled", "--yes", "--json")
    assert dropped.json["dropped"] == 1
    ((_, fields),) = stored.dead_letters(PARTITION)
    named = dict(zip(fields[::2], fields[1::2], strict=True))
    assert named[b"dead.reason"] == b"dropped"
    assert b"the order was cancelled" in named[b"dead.message"]
    assert (await Marks(broker, PARTITIONS).read(Place(PARTITION, token))).text == "queued"
