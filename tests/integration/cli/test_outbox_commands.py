"""`hookline outbox`, as operators and scripts use it."""

import asyncio
from pathlib import Path

import pytest
import redis

from hookline_processor.replies.outbox_events import outbox_entry
from hookline_shared.event import SCHEMA
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer, Outputs, Settlements
from hookline_shared.streams.outbox import Marks, Place
from hookline_shared.topics import MESSAGES
from tests.support.processes.command import Command, Result
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION, Feed, claim, read
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS


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
    table = (await run(command, "list", "--limit", "1")).out
    assert "3 messages in the outbox (1 shown)." in table
    assert "queued" in table
    assert "+14155550123" not in table
    assert "hello" not in table
