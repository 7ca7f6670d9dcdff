"""What a processor leaves behind, and what the next one makes of it."""

from tests.acceptance.support.pair import Pair
from tests.support.inbound.kinds import SENDER, message
from tests.support.inbound.webhooks import Twilio, Webhook
from tests.support.waiting import until

TWILIO = Twilio()


def texted(body: str, sender: str = SENDER) -> Webhook:
    return TWILIO.webhook(message(Body=body, From=sender))


async def test_killed_processor_keeps_the_count_of_attempts(pair: Pair) -> None:
    """A failed attempt is remembered across a crash: the next processor goes on counting, and ends with a dead letter."""
    await pair.deliver(texted("hang"))
    await until(lambda: pair.retry_records() == 1, "the first failure is on record")
    await pair.processor.kill()
    attempts_before = len(pair.lines("begin"))
    await pair.processor.start()
    await until(pair.settled, "it is dead")
    (letter,) = pair.dead_letters()
    assert letter["dead.attempts"] == "4"
    assert 4 <= len(pair.lines("begin")) <= 5, "at most the attempt that the kill interrupted is made again"
    assert [line["attempt"] for line in pair.lines("begin")[attempts_before:]][-1] == 4


async def test_graceful_stop_finishes_what_runs_and_burns_no_attempt(single_pair: Pair) -> None:
    """On SIGTERM the running handler finishes and is settled; the event behind it is begun by the next processor."""
    await single_pair.deliver(texted("slow"))
    await single_pair.deliver(texted("behind"))
    await until(lambda: len(single_pair.lines("begin")) == 1, "the slow one runs")
    assert await single_pair.processor.stop() == 0
    assert [line["body"] for line in single_pair.lines()] == ["slow"]
    assert not single_pair.settled()

    await single_pair.processor.start()
    await until(single_pair.settled, "all is settled")
    assert [(line["body"], line["attempt"]) for line in single_pair.lines()] == [("slow", 1), ("behind", 1)]
    assert len(single_pair.lines("begin")) == 2


async def test_order_holds_across_a_kill(pair: Pair) -> None:
    """What was pending comes before what arrived while there was no processor."""
    for body in ("slow", "second"):
        await pair.deliver(texted(body))
    await until(lambda: len(pair.lines("begin")) == 1, "the slow one runs")
    await pair.processor.kill()
    for body in ("third", "fourth"):
        await pair.deliver(texted(body))
    await pair.processor.start()
    await until(pair.settled, "all is settled")
    assert [line["body"] for line in pair.lines()] == ["slow", "second", "third", "fourth"]
