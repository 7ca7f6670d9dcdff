"""A webhook from socket to settled, through both services."""

import json

from tests.acceptance.support.pair import Pair
from tests.support.inbound.kinds import SENDER, call, message, message_status, sid
from tests.support.inbound.webhooks import Twilio, Webhook
from tests.support.waiting import until

TWILIO = Twilio()


def texted(body: str, sender: str = SENDER) -> Webhook:
    return TWILIO.webhook(message(Body=body, From=sender))


async def test_message_is_handled_once(pair: Pair) -> None:
    """A signed message is answered with empty TwiML, handled once however often it is delivered, and removed."""
    message_sid = sid("SM")
    webhook = TWILIO.webhook(message(Body="hello", MessageSid=message_sid))
    for _ in range(3):
        reply = await pair.client.post(webhook)
        assert (reply.status, reply.body, reply.content_type) == (200, b"<Response/>", "text/xml")
    await until(pair.settled, "all is settled")
    assert [(line["sid"], line["body"], line["attempt"]) for line in pair.lines()] == [(message_sid, "hello", 1)]
    assert pair.dead_letters() == []


async def test_plain_function_handles_a_status(single_pair: Pair) -> None:
    """A plain handler runs too, and its event is settled."""
    assert (await single_pair.client.post(TWILIO.webhook(message_status()))).status == 204
    await until(single_pair.settled, "all is settled")
    assert [line["body"] for line in single_pair.lines()] == ["delivered"]


async def test_failing_event_is_retried_in_its_place(pair: Pair) -> None:
    """An event that fails twice is handled at the third attempt, before the later ones of its conversation."""
    for body in ("fail-twice", "second"):
        assert (await pair.client.post(texted(body))).status == 200
    await until(pair.settled, "all is settled")
    assert [(line["body"], line["attempt"]) for line in pair.lines()] == [("fail-twice", 3), ("second", 1)]
    assert pair.retry_records() == 0


async def test_waiting_conversation_holds_up_nobody_else(single_pair: Pair) -> None:
    """While one conversation waits for a retry, others are handled."""
    for body, sender in (("later", SENDER), ("behind", SENDER), ("other", "+14155550999")):
        assert (await single_pair.client.post(texted(body, sender))).status == 200
    await until(single_pair.settled, "all is settled")
    assert [line["body"] for line in single_pair.lines()] == ["other", "later", "behind"]


async def test_dead_letters_say_why(pair: Pair) -> None:
    """What cannot succeed is a dead letter with reason, error, attempts, and all that the event consisted of."""
    senders = {body: f"+1415555{number:04d}" for number, body in enumerate(("fail", "hang", "exit", "reject"))}
    for body, sender in senders.items():
        assert (await pair.client.post(texted(body, sender))).status == 200
    assert (await pair.client.post(TWILIO.webhook(call()))).status == 200
    await until(lambda: len(pair.dead_letters()) == 5 and pair.settled(), "all five are dead")
    letters = {letter["key"].partition(":")[0]: letter for letter in pair.dead_letters()}
    facts = {
        body: (letter["dead.reason"], letter["dead.error"], letter["dead.attempts"])
        for body, sender in senders.items()
        for letter in [letters[sender]]
    }
    assert facts == {
        "fail": ("exhausted", "ValueError", "4"),
        "hang": ("timed_out", "TimeoutError", "4"),
        "exit": ("exhausted", "SystemExit", "4"),
        "reject": ("rejected", "Reject", "1"),
    }
    assert "recorder.py" in letters[senders["fail"]]["dead.traceback"]
    assert "Body=fail" in letters[senders["fail"]]["body"]
    unhandled = next(letter for letter in letters.values() if letter["kind"] == "call.received")
    assert unhandled["dead.reason"] == "unhandled"
    assert "handlers.ignore" in unhandled["dead.message"]
    assert pair.retry_records() == 0


async def test_retry_later_runs_again_without_counting(single_pair: Pair) -> None:
    """RetryLater comes back at its time, as the same attempt."""
    assert (await single_pair.client.post(texted("later"))).status == 200
    await until(single_pair.settled, "all is settled")
    assert {line["attempt"] for line in single_pair.lines("begin")} == {1}
    assert len(single_pair.lines("begin")) >= 2
    assert len(single_pair.lines()) == 1


async def test_backlog_is_told(single_pair: Pair) -> None:
    """An autoscaler finds one number at the processor's admin port, and from where it comes."""
    found = json.loads(await single_pair.processor.probe("backlog", 200))
    assert found["events"] == sum(topic["events"] for topic in found["topics"].values())


async def test_undecodable_entry_is_dead_lettered_alone(pair: Pair) -> None:
    """An entry that is no event becomes a dead letter, field by field, and those around it are handled."""
    pair.redis.xadd("hookline:{3}:messages", {"v": "99", "blob": b"\xff\x00"})
    assert (await pair.client.post(texted("after"))).status == 200
    await until(lambda: len(pair.dead_letters()) == 1 and pair.settled(), "it is dead, and the other one settled")
    ((_, words),) = pair.stored.dead_letters(3)
    letter = dict(zip(words[::2], words[1::2], strict=True))
    assert letter[b"blob"] == b"\xff\x00"
    assert letter[b"dead.reason"] == b"undecodable"
    assert [line["body"] for line in pair.lines()] == ["after"]


async def test_flushed_redis_heals_by_itself(pair: Pair) -> None:
    """After FLUSHALL the groups and the layout come back, with a log line, and new webhooks are handled."""
    await pair.deliver(texted("before the flush"))
    await until(pair.settled, "the partition is being read")
    pair.redis.flushall()
    await pair.deliver(texted("after the flush"))
    await until(lambda: [line["body"] for line in pair.lines()][1:] == ["after the flush"], "it is handled")
    await pair.processor.logged("consumer groups were missing and are created again; was Redis flushed?")
    await until(lambda: pair.redis.hget("hookline:layout", "partitions") == b"8", "the layout is back")
