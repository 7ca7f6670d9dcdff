"""What waits and what is paused in the console, and what operators do about it."""

import re

import pytest
import redis

from hookline_shared.event import SCHEMA
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.waiting.pauses import PauseStore
from tests.support.console.local_console import OPERATOR, Browser, LocalConsole
from tests.support.processor.events import key_of
from tests.support.processor.feed import PARTITION
from tests.support.processor.waiting_lanes import put_waiting
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored


@pytest.fixture
async def operator(console: LocalConsole, redis_client: "redis.Redis") -> Browser:
    redis_client.hset(keys.layout, mapping={"partitions": str(PARTITIONS), "schema": SCHEMA})
    return await console.signed_in(OPERATOR)


async def test_empty_page_says_what_would_wait(operator: Browser) -> None:
    """Nothing waits, and nothing is paused."""
    text = await operator.text("/waiting")
    assert "No conversation waits" in text
    assert "Nothing is paused" in text


async def test_conversations_are_retried_now(
    operator: Browser, console: LocalConsole, broker: RedisConnectionManager, consumer: Consumer
) -> None:
    """After a dry run and with a reason, they are due; the record says what came of it."""
    await put_waiting(broker, consumer, key_of(PARTITION), 2)
    await put_waiting(broker, consumer, key_of(PARTITION, 1), 1, "breaker:crm", time_ms=1_750_000_000_000)
    text = await operator.text("/waiting")
    assert "breaker:crm" in text
    assert "1 behind it" in text
    (form,) = await operator.forms("/waiting/retry?topic=messages")
    answer = await operator.send(form.action, form.fields | {"why": "shop is back"})
    assert "2 due now" in await operator.text(answer.headers["Location"])
    (record, begun) = await console.components.audit.newest(2)
    assert record.deed.outcome.startswith("2 due now")
    assert (begun.deed.action, begun.deed.target, begun.deed.why) == ("retry now", "topic messages", "shop is back")


async def test_waiting_event_is_dropped(
    operator: Browser, broker: RedisConnectionManager, consumer: Consumer, stored: Stored
) -> None:
    """The page of a waiting event offers to move it to the dead letters, with a reason that the letter has."""
    await put_waiting(broker, consumer, key_of(PARTITION), 2)
    event_id = re.findall(r'href="/events/([0-9a-f]{32})"', await operator.text("/waiting"))[0]
    (form,) = (form for form in await operator.forms(f"/events/{event_id}") if form.action.endswith("/drop"))
    answer = await operator.send(form.action, form.fields | {"why": "cancelled"})
    assert "1 dropped." in await operator.text(answer.headers["Location"])
    (letter,) = stored.dead_letters(PARTITION)
    assert "ada: cancelled" in str(letter)


async def test_topic_is_paused_and_resumed(operator: Browser, console: LocalConsole, broker: RedisConnectionManager) -> None:
    """A pause has who, why and until when; everything is paused only if somebody says so."""
    for fields, told in (
        ({"why": "move"}, "choose a topic or a kind"),
        ({"why": "move", "topic": "messages", "duration": "soon"}, "is no duration"),
        ({"topic": "messages"}, "a reason is required"),
        ({"why": "move", "kind": "message.recieved"}, "Did you mean"),
    ):
        answer = await operator.post("/pauses", "/waiting", **fields)
        assert (answer.status, told in await answer.text()) == (400, True), fields
    assert await PauseStore(broker).read() == []
    assert (await operator.post("/pauses", "/waiting", why="CRM moves", topic="messages", duration="2h")).status == 303
    (pause,) = await PauseStore(broker).read()
    assert (pause.topic, pause.who, pause.why, pause.until_ms - pause.since_ms) == ("messages", "ada", "CRM moves", 7_200_000)
    (form,) = (form for form in await operator.forms("/waiting") if form.action.endswith("/resume"))
    await operator.send(form.action, form.fields)
    assert await PauseStore(broker).read() == []
    assert [one.deed.action for one in await console.components.audit.newest(2)] == ["resume", "pause"]
