"""Messages to an app and its answers to whoever wrote, whatever the app does."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from hookline import Handlers, MessageReceived
from hookline_shared.forwards import Forward
from hookline_shared.topics import MESSAGES
from tests.integration.processor.replies.conftest import dead
from tests.support.observability.logbook import Logbook
from tests.support.processor.feed import PARTITION
from tests.support.processor.inbox import Inbox
from tests.support.processor.partition_bench import Bench
from tests.support.servers.fake_twilio import FakeTwilio
from tests.support.servers.sample_app import Answer, SampleApp, answering, cutting, silent
from tests.support.storage.stored import Stored
from tests.support.waiting import until


async def test_answers_are_sent_in_order_with_cookies(
    bench: Bench, inbox: Inbox, app: SampleApp, twilio: FakeTwilio, stored: Stored
) -> None:
    """The app's validator accepts what it gets, and it knows each conversation by its cookie."""
    await inbox.put("one", "two", "three")
    await inbox.put("other", nth=1, sender="+14155550999")
    partition = await bench.start()
    await until(lambda: stored.events() == [] and len(twilio.messages) == 4, "all are answered")
    answers = [one["body"] for one in twilio.messages if one["to"] == "+14155550123"]
    assert answers == ["1: one", "2: two", "3: three"]
    assert [one["body"] for one in twilio.messages if one["to"] == "+14155550999"] == ["1: other"]
    assert app.refused == 0
    assert stored.dead_letters(PARTITION) == []
    await partition.drain(5)


async def test_app_that_is_away_gets_everything_later(
    bench: Bench, inbox: Inbox, app: SampleApp, twilio: FakeTwilio, stored: Stored
) -> None:
    """Ten conversations, in order, without a dead letter and without a failed attempt on record."""
    await app.stop()
    for nth in range(10):
        await inbox.put(*(f"{nth}.{number}" for number in range(3)), nth=nth, sender=f"+1415555010{nth}")
    partition = await bench.start()
    await until(lambda: bench.breaker_is_open("forward /twilio"), "the breaker opens")
    assert stored.retry_records(PARTITION) == {}
    await app.start()
    await until(lambda: stored.events() == [] and len(twilio.messages) == 30, "all are answered")
    for nth in range(10):
        assert [body for body in app.bodies if body.startswith(f"{nth}.")] == [f"{nth}.{number}" for number in range(3)]
    assert sorted(twilio.bodies) == sorted(f"{number + 1}: {nth}.{number}" for nth in range(10) for number in range(3))
    assert stored.dead_letters(PARTITION) == []
    await partition.drain(5)


REFUSALS: list[tuple[str, Answer, str, str]] = [
    ("error", answering(500, "<h1>secret</h1>"), "exhausted", "The app answered 500."),
    ("not found", answering(404), "exhausted", "The app answered 404."),
    ("refused", answering(403), "exhausted", "validator"),
    ("silent", silent, "timed_out", "did not answer within 0.5 s"),
    ("half", cutting, "exhausted", "closed the connection within its answer"),
    ("elsewhere", answering(307, Location="http://127.0.0.2:1/sms"), "exhausted", "a redirect that is not followed"),
    ("moved", answering(301, Location="/sms"), "exhausted", "a redirect that is not followed"),
    ("circle", answering(307, Location="/sms"), "exhausted", "a redirect that is not followed"),
    ("loop", answering(508), "exhausted", "leads back to Hookline"),
    ("large header", answering(Set_Cookie="a=" + "x" * 40_000), "exhausted", "no HTTP that can be read"),
    ("large", answering(200, "<Response>" + " " * 1_000_000 + "</Response>", "text/xml"), "unfit", "more than 65536 bytes"),
    ("wrong twiml", answering(200, "<Response><Message>", "text/xml"), "unfit", "no XML"),
    ("voice", answering(200, "<Response><Say>hi</Say></Response>", "text/xml"), "unfit", "<Say>"),
    ("compressed", answering(200, b"\x1f\x8b", "text/xml", Content_Encoding="gzip"), "unfit", "compressed"),
]


@pytest.mark.parametrize(("answer", "reason", "words"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
async def test_bad_answer_is_a_dead_letter_that_says_why(
    bench: Bench, inbox: Inbox, app: SampleApp, stored: Stored, logbook: Logbook, answer: Answer, reason: str, words: str
) -> None:
    """Nothing is sent, and the next event of the conversation goes on."""
    bench.forwards = [Forward(path="/twilio", url=app.url, timeout_s=0.5, max_attempts=1)]
    app.answer = answer
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: stored.events() == [] and stored.dead_letters(PARTITION) != [], "it is dead")
    ((found, message),) = dead(stored)
    assert found == reason
    assert words in message
    assert "secret" not in str(logbook.lines)
    app.answer = None
    await inbox.put("again")
    await until(lambda: app.bodies == ["again"], "the next one is forwarded")
    await partition.drain(5)


async def test_dead_letter_has_the_answer(bench: Bench, inbox: Inbox, app: SampleApp, stored: Stored) -> None:
    """Its first 500 bytes, for whoever looks into it."""
    bench.forwards = [Forward(path="/twilio", url=app.url, max_attempts=1)]
    app.answer = answering(500, "no such customer " + "x" * 1000)
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: stored.dead_letters(PARTITION) != [], "it is dead")
    ((_, fields),) = stored.dead_letters(PARTITION)
    named = dict(zip(fields[::2], fields[1::2], strict=True))
    assert named[b"dead.traceback"] == b"no such customer " + b"x" * 483
    await partition.drain(5)


async def test_redirects_to_the_same_origin_are_followed(
    bench: Bench, inbox: Inbox, app: SampleApp, twilio: FakeTwilio, stored: Stored
) -> None:
    """Signed for the new URL, with the body, three times at most."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if len(request.path) < len("/sms///"):
            return web.Response(status=308, headers={"Location": request.path + "/"})
        return web.Response(text=f"{request.path} {(await request.post())['Body']!s}")

    app.answer = answer
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: stored.events() == [] and twilio.bodies != [], "it is answered")
    assert twilio.bodies == ["/sms/// hello"]
    assert app.refused == 0
    await partition.drain(5)


async def test_what_is_no_reply_is_said_once(
    bench: Bench, inbox: Inbox, app: SampleApp, twilio: FakeTwilio, stored: Stored, logbook: Logbook
) -> None:
    """OK of Flask and Express is not texted to a customer."""
    app.answer = answering(200, "OK")
    await inbox.put("one", "two", "three")
    partition = await bench.start()
    await until(lambda: stored.events() == [] and len(app.requests) == 3, "all are forwarded")
    assert twilio.messages == []
    found = [line for line in logbook.lines if line["event"] == "forward"]
    assert len(found) == 1
    await partition.drain(5)


async def test_retry_after_and_the_same_idempotency_token(
    bench: Bench, inbox: Inbox, app: SampleApp, twilio: FakeTwilio, stored: Stored
) -> None:
    """An app that says when to come again is asked again then, with the same token."""
    app.answer = answering(503, Retry_After="1")
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: len(app.requests) == 1, "it has been asked")
    app.answer = None
    await until(lambda: twilio.bodies == ["1: hello"], "it is answered")
    first, second = (request.headers["I-Twilio-Idempotency-Token"] for request in app.requests)
    assert first == second
    await partition.drain(5)


async def test_python_handler_wins(bench: Bench, inbox: Inbox, app: SampleApp, twilio: FakeTwilio, stored: Stored) -> None:
    """A kind that has one is not forwarded."""
    handlers = bench.handlers = Handlers()

    @handlers.on(MessageReceived)
    async def answer(event: MessageReceived, context: Any) -> str:
        return f"python: {event.body}"

    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: stored.events() == [] and twilio.bodies == ["python: hello"], "it is answered")
    assert app.requests == []
    await partition.drain(5)


async def test_what_no_forward_covers_is_a_dead_letter(bench: Bench, inbox: Inbox, app: SampleApp, stored: Stored) -> None:
    """It is neither settled in silence nor sent to an app that does not expect it."""
    bench.forwards = [Forward(path="/other", url=app.url)]
    await inbox.put("hello")
    partition = await bench.start()
    await until(lambda: stored.events(MESSAGES) == [], "it is settled")
    assert [reason for reason, _ in dead(stored)] == ["unhandled"]
    await partition.drain(5)


async def test_answer_that_is_lost_by_a_crash_is_sent_once(
    bench: Bench, inbox: Inbox, app: SampleApp, twilio: FakeTwilio, stored: Stored
) -> None:
    """The app gets the message twice, and the customer one reply: the token of the reply is that of the event."""
    gate = asyncio.Event()
    asked = asyncio.Event()

    async def answer(_request: web.Request) -> web.StreamResponse:
        asked.set()
        await gate.wait()
        return web.Response(text="hello")

    bench.forwards = [Forward(path="/twilio", url=app.url, timeout_s=30)]
    app.answer = answer
    await inbox.put("hello")
    partition = await bench.start()
    await asked.wait()
    await partition.drain(0)
    gate.set()
    partition = await bench.start()
    await until(lambda: stored.events() == [] and twilio.bodies != [], "it is answered")
    assert twilio.bodies == ["hello"]
    assert len(app.requests) == 2
    await partition.drain(5)
