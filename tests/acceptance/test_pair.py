"""A webhook from socket to settled, through both services."""

from typing import Any

from cli.samples import Sample, parameters
from tests.acceptance.conftest import Pair
from tests.support.streams import dead_letters, retry_records, unsettled
from tests.support.twilio import Twilio
from tests.support.waiting import until

SENDER, RECIPIENT = "+14155550123", "+15005550001"


def message(body: str, sender: str = SENDER) -> dict[str, str]:
    return parameters(Sample.MESSAGE, sender, RECIPIENT, body)


async def test_message_is_handled_once(pair: Pair) -> None:
    """A signed message is answered with empty TwiML, handled once, and removed."""
    params = message("hello")
    async with Twilio(pair.ingress.port) as twilio:
        for _ in range(3):
            status, body, headers = await twilio.post(params)
            assert (status, body, headers["Content-Type"]) == (200, "<Response/>", "text/xml")
    await until(lambda: unsettled(pair.client) == 0)
    assert [(line["sid"], line["body"], line["attempt"]) for line in pair.lines()] == [(params["MessageSid"], "hello", 1)]
    assert dead_letters(pair.client) == []


async def test_plain_function_handles_a_status(pair: Pair) -> None:
    """A plain handler runs too, and its event is settled."""
    async with Twilio(pair.ingress.port) as twilio:
        assert (await twilio.post(parameters(Sample.STATUS, SENDER, RECIPIENT, "")))[0] == 204
    await until(lambda: unsettled(pair.client) == 0)
    assert [line["body"] for line in pair.lines()] == ["delivered"]


async def test_failing_event_is_retried_in_its_place(pair: Pair) -> None:
    """An event that fails twice is handled at the third attempt, before the later ones of its conversation, after others."""
    async with Twilio(pair.ingress.port) as twilio:
        for body, sender in (("fail-twice", SENDER), ("second", SENDER), ("other", "+14155550999")):
            assert (await twilio.post(message(body, sender)))[0] == 200
    await until(lambda: unsettled(pair.client) == 0)
    ended = pair.lines()
    assert [(line["body"], line["attempt"]) for line in ended if line["from"] == SENDER] == [("fail-twice", 3), ("second", 1)]
    assert retry_records(pair.client) == 0


async def test_dead_letters_say_why(pair: Pair) -> None:
    """What cannot succeed is a dead letter with reason, error, attempts, and all that the event consisted of."""
    senders = {body: f"+1415555{number:04d}" for number, body in enumerate(("fail", "hang", "exit", "reject"))}
    async with Twilio(pair.ingress.port) as twilio:
        for body, sender in senders.items():
            assert (await twilio.post(message(body, sender)))[0] == 200
        assert (await twilio.post(parameters(Sample.CALL, SENDER, RECIPIENT, "")))[0] == 200
        await until(lambda: len(dead_letters(pair.client)) == 5, timeout_s=40)
    await until(lambda: unsettled(pair.client) == 0)
    letters = {letter["key"].partition(":")[0]: letter for letter in dead_letters(pair.client)}
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
    assert retry_records(pair.client) == 0


async def test_retry_later_runs_again_without_counting(pair: Pair) -> None:
    """RetryLater comes back at its time, as the same attempt."""
    async with Twilio(pair.ingress.port) as twilio:
        assert (await twilio.post(message("later")))[0] == 200
    await until(lambda: unsettled(pair.client) == 0)
    assert {line["attempt"] for line in pair.lines("begin")} == {1}
    assert len(pair.lines("begin")) >= 2
    assert len(pair.lines()) == 1


async def test_logs_and_metrics_hold_no_personal_data(pair: Pair) -> None:
    """Numbers, bodies and tokens of handled, failed and refused webhooks appear in no log line and no metric."""
    async with Twilio(pair.ingress.port) as twilio:
        assert (await twilio.post(message("fail:planted-secret")))[0] == 200
        assert (await twilio.post(message("planted-secret"), token="planted-token"))[0] == 403
        await until(lambda: len(dead_letters(pair.client)) == 1)
    seen = pair.ingress.log_text() + pair.processor.log_text()
    seen += pair.ingress.probe("metrics")[1] + pair.processor.probe("metrics")[1]
    assert "attempt failed" in seen
    assert "event is dead" in seen
    for secret in ("planted-secret", "planted-token", SENDER, "14155550123", RECIPIENT):
        assert secret not in seen


async def test_undecodable_entry_is_dead_lettered_alone(pair: Pair) -> None:
    """An entry that is no event becomes a dead letter, field by field, and those around it are handled."""
    pair.client.xadd("hookline:{3}:messages", {"v": "99", "blob": b"\xff\x00"})
    async with Twilio(pair.ingress.port) as twilio:
        assert (await twilio.post(message("after")))[0] == 200
    await until(lambda: len(dead_letters(pair.client)) == 1 and unsettled(pair.client) == 0)
    letters: Any = pair.client.xrange("hookline:{3}:dead")
    ((_, letter),) = letters
    assert letter[b"blob"] == b"\xff\x00"
    assert letter[b"dead.reason"] == b"undecodable"
    assert [line["body"] for line in pair.lines()] == ["after"]


async def test_flushed_redis_heals_by_itself(pair: Pair) -> None:
    """After FLUSHALL the groups and the layout come back, with a log line, and new webhooks are handled."""
    pair.client.flushall()
    async with Twilio(pair.ingress.port) as twilio:
        await until(lambda: pair.client.exists("hookline:{0}:messages") == 1)
        assert await twilio.deliver(message("after the flush")) >= 1
        await until(lambda: [line["body"] for line in pair.lines()] == ["after the flush"])
    pair.processor.wait_for_log("consumer group is gone, creating it anew")
    await until(lambda: pair.client.hget("hookline:layout", "partitions") == b"8")
