"""The sender, against a real HTTP server and a real Redis: each reply is sent once, whatever happens to its request."""

from typing import Any

import pytest
import redis

from hookline_processor.sender.twilio_api import TwilioApi
from hookline_shared.clock import SystemClock
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.outbox import Place, State
from hookline_shared.topics import OUTBOX
from tests.integration.processor.replies.conftest import dead, marks, sender_settings
from tests.support.processor.conversations import OURS
from tests.support.processor.feed import PARTITION, claim
from tests.support.processor.inbox import Inbox
from tests.support.processor.partition_bench import Bench
from tests.support.servers.fake_twilio import ACCOUNT, FakeTwilio, Fault, losing
from tests.support.storage.keys import keys
from tests.support.storage.stored import Stored
from tests.support.waiting import until

AMBIGUOUS = [Fault.LOST_ANSWER, Fault.ACCEPTED_WITH_503, Fault.NO_SID, Fault.SLOW]


async def test_reply_is_sent(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """To whoever wrote, from the number that they wrote to; then nothing is left but the mark with the SID."""
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: stored.events() == [] and twilio.messages != [], "it is sent and settled")
    (sent,) = twilio.messages
    assert (sent["to"], sent["from"], sent["body"], sent["account_sid"]) == ("+14155550123", OURS, "hello", ACCOUNT)
    (mark,) = marks(redis_client)
    assert (mark.account, mark.sid) == (ACCOUNT, sent["sid"])
    assert stored.dead_letters(PARTITION) == []
    await partition.drain(5)


async def test_lease_of_the_usual_length_suffices(bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored) -> None:
    """It is as long as the time-out of a request. If it ends during one, the next owner finds the message in doubt."""
    bench.lease_s = 10
    bench.sender = sender_settings(twilio, timeout_s=10)
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: stored.events() == [], "it is sent and settled")
    assert twilio.bodies == ["hello"]
    await partition.drain(5)


async def test_lease_that_is_about_to_end(bench: Bench, inbox: Inbox, twilio: FakeTwilio, redis_client: "redis.Redis") -> None:
    """Nothing is sent, and nothing is in doubt."""
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: marks(redis_client) != [], "it is in the outbox")
    await partition.drain(5)
    (name,) = redis_client.execute_command("KEYS", keys.sent(PARTITION, "*"))
    redis_client.set(name, "queued")
    assert bench.outbox is not None
    place = Place(PARTITION, name.decode().rpartition(":")[2])
    answer = await bench.outbox.marks.begin(place, await claim(bench.broker, lease_s=2), 3, ACCOUNT)
    assert (answer.state, answer.mark.text) == (State.LEASE, "queued")


async def test_replies_of_a_conversation_are_in_order(bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored) -> None:
    """Though some requests get no answer, or a late one; others are not held up."""
    twilio.choose = losing(0.2, Fault.LOST_ANSWER)
    texts = [f"text {number}" for number in range(20)]
    await inbox.put(*texts)
    await inbox.put("another", nth=1, sender="+14155550199")
    partition = await bench.start()
    await until(lambda: stored.events() == [], "all are settled")
    assert [one["body"] for one in twilio.messages if one["to"] == "+14155550123"] == texts
    assert len(twilio.messages) == 21
    await partition.drain(5)


@pytest.mark.parametrize("fault", AMBIGUOUS)
async def test_accepted_message_is_not_sent_again(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored, fault: Fault, redis_client: "redis.Redis"
) -> None:
    """Nobody said that it was: it is found in the list."""
    twilio.choose = lambda _form: fault
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: stored.events() == [], "it is settled")
    assert twilio.bodies == ["hello"]
    assert twilio.requests == 1
    assert [mark.sid for mark in marks(redis_client)] == [twilio.messages[0]["sid"]]
    await partition.drain(5)


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.SERVER_ERROR])
async def test_message_that_was_not_accepted_is_sent_again(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored, fault: Fault
) -> None:
    """After the last look. Twilio does not list it, so it is sent a second time, and there once."""
    faults = [fault]
    twilio.choose = lambda _form: faults.pop() if faults else Fault.NONE
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: stored.events() == [], "it is settled")
    assert twilio.bodies == ["hello"]
    assert twilio.requests == 2
    assert twilio.lists >= 3
    await partition.drain(5)


async def test_unknown_message_goes_to_a_person_if_so_wanted(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored
) -> None:
    """With OUTBOX_ON_UNKNOWN=dead. The dead letter says what to do."""
    bench.sender = sender_settings(twilio, on_unknown="dead")
    twilio.choose = lambda _form: Fault.LOST_REQUEST
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: dead(stored) != [], "it is dead")
    ((reason, message),) = dead(stored)
    assert reason == "unknown"
    assert "Look in Twilio's log" in message
    assert twilio.requests == 1
    await partition.drain(5)


async def test_message_that_is_cut_for_a_day_is_given_up(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """Its conversation goes on. If somebody replays it, it is looked for, and has another day."""
    twilio.choose = lambda _form: Fault.LOST_REQUEST
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: any(mark.is_sending for mark in marks(redis_client)), "it is in doubt")
    (name,) = redis_client.execute_command("KEYS", keys.sent(PARTITION, "*"))
    (mark,) = marks(redis_client)
    redis_client.set(name, f"sending {mark.last_ms - 86_400_001} {mark.last_ms} {mark.account}")
    await until(lambda: [reason for reason, _ in dead(stored)] == ["unknown"], "it is given up")
    (mark,) = marks(redis_client)
    assert mark.first_ms == mark.last_ms > 0
    await partition.drain(5)


async def test_doubt_waits_while_twilio_is_away(bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored) -> None:
    """However long: a list that cannot be had says nothing."""
    faults = [Fault.LOST_ANSWER]
    twilio.choose = lambda _form: faults.pop() if faults else Fault.NONE
    twilio.lists_work = False
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: twilio.lists >= 3, "it was looked for several times")
    assert twilio.requests == 1
    twilio.lists_work = True
    await until(lambda: stored.events() == [], "it is settled")
    assert twilio.bodies == ["hello"]
    await partition.drain(5)


async def test_equal_texts_are_two_messages(bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored) -> None:
    """Two people's conversations send the same text to the same number at once, and the answer to one of them is lost."""
    faults = [Fault.NONE, Fault.LOST_ANSWER]
    twilio.choose = lambda _form: faults.pop() if faults else Fault.NONE
    await inbox.put("hello")
    await inbox.put("hello", nth=1)
    partition = await bench.start()
    await until(lambda: stored.events() == [], "both are settled")
    assert twilio.bodies == ["hello", "hello"]
    await partition.drain(5)


async def test_equal_texts_of_which_one_was_not_accepted(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored
) -> None:
    """It is not taken for the other one, which Twilio has listed since."""
    faults = [Fault.NONE, Fault.LOST_REQUEST]
    twilio.choose = lambda _form: faults.pop() if faults else Fault.NONE
    await inbox.put("hello")
    await inbox.put("hello", nth=1)
    partition = await bench.start()
    await until(lambda: stored.events() == [], "both are settled")
    assert twilio.bodies == ["hello", "hello"]
    await partition.drain(5)


async def test_equal_texts_that_are_all_in_doubt(bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored) -> None:
    """Each finds one of them in the list, and no two the same."""
    answers = iter([Fault.LOST_ANSWER, Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.SERVER_ERROR])
    twilio.choose = lambda _form: next(answers, Fault.NONE)
    for nth in range(4):
        await inbox.put("hello", nth=nth)
    partition = await bench.start()
    await until(lambda: stored.events() == [], "all are settled")
    assert twilio.bodies == ["hello"] * 4
    await partition.drain(5)


async def test_status_callback_resolves_a_doubt(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """It has the token of the message, and Twilio need not be asked. It counts for its account alone, and needs no handler."""
    bench.sender = sender_settings(twilio, status_callback="https://hooks.example.com/twilio/status")
    twilio.choose = lambda _form: Fault.LOST_ANSWER
    twilio.lists_work = False
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: twilio.messages != [] and [mark.is_sending for mark in marks(redis_client)] == [True], "it is in doubt")
    (sent,) = twilio.messages
    assert bench.outbox is not None
    for account in ("AC" + "2" * 32, ACCOUNT):
        assert [mark.is_sending for mark in marks(redis_client)] == [True]
        event = _callback(sent, account)
        assert bench.outbox.expects(event)
        assert await bench.outbox.note(event)
    assert [mark.sid for mark in marks(redis_client)] == [sent["sid"]]
    await until(lambda: stored.events() == [], "it is settled")
    assert twilio.requests == 1
    await partition.drain(5)


def _callback(sent: dict[str, Any], account: str) -> Any:
    from hookline_shared.event import Event  # noqa: PLC0415

    return Event(
        id="1",
        kind="message.status",
        key=sent["sid"],
        dedupe_key="d",
        received_at=0,
        account=account,
        content_type="application/x-www-form-urlencoded",
        target=sent["status_callback"].removeprefix("https://hooks.example.com"),
        body=f"MessageSid={sent['sid']}&MessageStatus=sent".encode(),
        method="POST",
    )


async def test_processor_that_dies_in_the_middle(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """Twilio has the message, and the answer never came: the next owner finds it, and sends nothing."""
    twilio.hold()
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: twilio.messages != [], "Twilio has it")
    await partition.abandon()
    twilio.release()
    partition = await bench.start()
    await until(lambda: stored.events() == [], "it is settled")
    assert twilio.bodies == ["hello"]
    assert twilio.requests == 1
    await partition.drain(5)


async def test_replayed_message_of_unknown_outcome_is_looked_for(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """Its mark survives the dead letter. By now Twilio lists it, so it is not sent again."""
    bench.sender = sender_settings(twilio, on_unknown="dead")
    twilio.choose = lambda _form: Fault.LOST_ANSWER
    hidden: list[dict[str, Any]] = []
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: twilio.messages != [], "it is accepted")
    hidden += twilio.messages
    twilio.forget()
    await until(lambda: [reason for reason, _ in dead(stored)] == ["unknown"], "nobody knows")
    twilio.messages += hidden
    ((_, fields),) = stored.dead_letters(PARTITION)
    at = fields.index(b"dead.reason")
    redis_client.execute_command("XADD", keys.topic(PARTITION, OUTBOX), "*", *fields[:at])
    await until(lambda: stored.events() == [], "it is settled")
    assert twilio.requests == 1
    assert redis_client.xinfo_groups(keys.topic(PARTITION, OUTBOX))[0]["name"] == GROUP.encode()
    await partition.drain(5)


async def test_request_that_is_late_does_not_go_out(twilio: FakeTwilio) -> None:
    """The process stood still after its mark was written: another one may have looked, and sent, meanwhile."""
    clock = SystemClock()
    api = TwilioApi(ACCOUNT, "secret", twilio.url, 1.0, clock)
    outcome = await api.create(ACCOUNT, {"To": "+14155550123", "From": OURS, "Body": "x"}, clock.monotonic() - 0.1)
    assert "too late" in str(outcome)
    assert twilio.requests == 0
    await api.close()
