"""What Twilio refuses, and Twilio that is not there: a dead letter with the reason, a pause, or patience."""

import redis

from hookline_processor.sender.settings import SenderSettings
from hookline_shared.event import decode
from hookline_shared.topics import OUTBOX
from tests.integration.processor.replies.conftest import dead, marks, sender_settings
from tests.support.processor.feed import PARTITION
from tests.support.processor.inbox import Inbox
from tests.support.processor.partition_bench import Bench
from tests.support.servers.fake_twilio import ACCOUNT, FakeTwilio
from tests.support.storage.keys import keys
from tests.support.storage.stored import Stored
from tests.support.waiting import until


async def test_refused_message_is_a_dead_letter(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """With Twilio's code, what it means and where to read about it. Nothing was sent, so replaying it sends it."""
    twilio.refuse(400, 21614, "'To' number is not a valid mobile number")
    await inbox.put("hello", "and on")
    partition = await bench.start()
    await until(lambda: len(dead(stored)) == 2, "both are dead")
    for reason, message in dead(stored):
        assert reason == "refused"
        assert "no mobile number" in message
        assert "https://www.twilio.com/docs/api/errors/21614" in message
    assert [mark.text for mark in marks(redis_client)] == ["queued"] * 2
    await partition.drain(5)


async def test_person_who_said_stop_has_opted_out(bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored) -> None:
    """It has a reason of its own: nothing is wrong with the bot."""
    twilio.refuse(400, 21610, "unsubscribed")
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: [reason for reason, _ in dead(stored)] == ["opted_out"], "it is dead")
    await partition.drain(5)


async def test_rate_limit_pauses_the_account(bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored) -> None:
    """Messages wait, without requests and without using up attempts, until Twilio takes them."""
    twilio.refuse(429, 20429, "Too Many Requests", {"Retry-After": "1"})
    for nth in range(5):
        await inbox.put("hello", nth=nth)
    partition = await bench.start()
    await until(lambda: twilio.requests >= 1, "it was asked")
    twilio.accept()
    await until(lambda: stored.events() == [], "all are sent")
    assert len(twilio.messages) == 5
    await partition.drain(5)


async def test_revoked_key_closes_the_account(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """It is the fault of no message, so none is dead: they wait, and somebody is told."""
    twilio.passwords = ("another",)
    for nth in range(3):
        await inbox.put("hello", nth=nth)
    partition = await bench.start()
    assert bench.outbox is not None
    await until(lambda: bench.outbox is not None and bench.outbox.accounts.problems() != {}, "it is known")
    waiting = keys.waiting(PARTITION, OUTBOX, f"account:{ACCOUNT}")
    await until(lambda: redis_client.zcard(waiting) + redis_client.zcard(keys.waiting(PARTITION, OUTBOX)) == 3, "all wait")
    assert dead(stored) == []
    assert [mark.text for mark in marks(redis_client)] == ["queued"] * 3
    await partition.drain(5)


async def test_no_credentials(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """Events are handled, and messages wait until there are any, as after a deployment."""
    sender = bench.sender
    bench.sender = SenderSettings()
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: redis_client.zcard(keys.waiting(PARTITION, OUTBOX, f"account:{ACCOUNT}")) == 1, "it waits")
    assert [decode(fields).kind for _, fields in stored.entries(PARTITION, OUTBOX)] == ["message.send"]
    assert bench.outbox is not None
    assert "TWILIO_API_KEY" in bench.outbox.warnings()[0]
    await partition.drain(5)
    bench.sender = sender
    partition = await bench.start()
    await until(lambda: stored.events() == [], "it is sent")
    assert twilio.bodies == ["hello"]
    await partition.drain(5)


async def test_twilio_that_is_not_there(bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored) -> None:
    """A refused connection has sent nothing, so it is no doubt, and the message is sent as soon as somebody listens."""
    url = twilio.url
    bench.sender = sender_settings(twilio, api_url="http://127.0.0.1:9")
    await inbox.put("hello")
    partition = await bench.start()
    assert bench.outbox is not None
    await until(lambda: stored.retry_records(PARTITION) == {} and len(stored.events(OUTBOX)) == 1, "it waits")
    await partition.drain(5)
    assert bench.outbox.sender.doubts() == []
    bench.sender = sender_settings(twilio, api_url=url)
    partition = await bench.start()
    await until(lambda: stored.events() == [], "it is sent")
    assert twilio.bodies == ["hello"]
    await partition.drain(5)
