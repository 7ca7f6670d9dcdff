"""Calls on live routes: the caller hears what the handler answers, a pause until then, and the fallback if there is nothing."""

import asyncio
from itertools import count
from pathlib import Path

import aiohttp
import pytest
import redis

from hookline import CallReceived
from hookline_shared.clock import SystemClock
from hookline_shared.live import live_of
from hookline_shared.streams.append import Appender
from tests.integration.live.conftest import CONFIG, Stack, dead_letters
from tests.support.inbound.kinds import ACCOUNT
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.ingress_client import IngressClient, Reply
from tests.support.ingress.local_ingress import ingress_settings, running_ingress
from tests.support.servers.caller import Caller
from tests.support.storage.stored import Stored
from tests.support.waiting import until, until_answer


@pytest.mark.parametrize("wait_s", ["10"])
async def test_caller_hears_what_the_handler_answers(stack: Stack) -> None:
    """Step by step, and each step is handled once."""
    await stack.start_processor()
    caller = await stack.caller().call()
    assert caller.heard == ["press a key"]
    await caller.press("2")
    assert caller.heard == ["press a key", "you pressed 2"]
    assert len(stack.begun) == 2
    assert {reply.content_type for reply in caller.replies} == {"text/xml"}


async def test_processor_that_comes_later(stack: Stack) -> None:
    """The caller hears a pause, comes back, and hears the answer: of one attempt."""
    caller = stack.caller()
    calling = asyncio.create_task(caller.call())
    await until(lambda: caller.holds >= 2, "the call is held")
    await stack.start_processor()
    await calling
    assert caller.heard == ["press a key"]
    assert len(stack.begun) == 1


async def test_gather_without_action_after_a_hold(stack: Stack) -> None:
    """It goes to the URL of its document, which has the hold: what was pressed is a new step all the same."""
    caller = stack.caller()
    calling = asyncio.create_task(caller.call("/voice?lang=de"))
    await until(lambda: caller.holds >= 1, "the call is held")
    await stack.start_processor()
    await calling
    assert caller.gather is not None
    assert "hookline=" in caller.gather
    await caller.press("3")
    assert caller.heard == ["press a key", "you pressed 3"]


async def test_same_digit_twice(stack: Stack) -> None:
    """Two presses are two steps; Twilio's repeat of one of them is not."""
    await stack.start_processor()
    caller = await stack.caller().call()
    first, second = [await caller.request("/voice", [("Digits", "1")]) for _ in range(2)]
    assert first.body == second.body
    assert len(stack.begun) == 3


async def test_fast_loop_gets_twiml(stack: Stack) -> None:
    """A call that asks the same far too often hears the fallback in the end: a refusal would be an application error."""
    await stack.start_processor()
    caller = await stack.caller().call()
    replies = [await caller.request("/voice", [("Digits", "1")]) for _ in range(25)]
    assert {reply.status for reply in replies} == {200}
    assert b"call us again" in replies[-1].body


@pytest.mark.parametrize("stack", ["1"], indirect=True)
async def test_nobody_answers(stack: Stack) -> None:
    """When the hold time is over, the caller hears the fallback of the route, and the event is dead, unattempted."""
    caller = await stack.caller().call()
    assert caller.heard == ["call us again"]
    assert caller.holds >= 2
    await stack.start_processor()
    await until(lambda: dead_letters(stack.redis) != [], "the event is settled")
    assert [letter["dead.reason"] for letter in dead_letters(stack.redis)] == ["expired"]
    assert stack.begun == []


async def test_handler_that_fails_and_then_answers(stack: Stack) -> None:
    """It is retried while the caller waits."""

    async def answer(event: CallReceived) -> object:
        if len(stack.begun) < 3:
            raise ValueError("not yet")
        return "<Response><Say>at last</Say></Response>"

    stack.answer = answer
    await stack.start_processor()
    assert (await stack.caller().call()).heard == ["at last"]


@pytest.mark.parametrize("returned", ["hello", 7, "<Response><Say>", "<Response>" + "<Pause/>" * 10_000 + "</Response>"])
async def test_what_is_no_twiml_is_the_fallback(stack: Stack, returned: object) -> None:
    """And a dead letter that says why."""

    async def answer(_event: CallReceived) -> object:
        return returned

    stack.answer = answer
    await stack.start_processor()
    assert (await stack.caller().call()).heard == ["call us again"]
    (letter,) = dead_letters(stack.redis)
    assert letter["dead.reason"] == "unfit"


async def test_handler_that_returns_nothing(stack: Stack) -> None:
    """The route's own reply is what Twilio gets."""

    async def answer(_event: CallReceived) -> object:
        return None

    stack.answer = answer
    await stack.start_processor()
    caller = await stack.caller().call()
    assert caller.twiml == "<Response/>"


async def test_hold_of_somebody_else(stack: Stack) -> None:
    """Signed by Twilio, but of another call, or made up: the fallback, and nothing of the other one."""
    caller = stack.caller()
    calling = asyncio.create_task(caller.call())
    await until(lambda: caller.holds >= 1, "the call is held")
    hold = caller.twiml.partition('<Redirect method="POST">')[2].partition("#")[0].replace("&amp;", "&")
    target = hold.removeprefix("https://hooks.example.com")
    await stack.start_processor()
    await calling
    assert caller.heard == ["press a key"]
    other = stack.caller()
    assert b"call us again" in (await other.request(target)).body
    assert b"press a key" in (await caller.request(target)).body
    for made_up in (f"999.AAAAAAAAAAAAAAAAAAAAAA.{_ms_ago(0)}", "0.AAAAAAAAAAAAAAAAAAAAAA.9750000000000"):
        assert b"call us again" in (await other.request(f"/voice?hookline={made_up}")).body
    unsigned = Caller(stack.clients, twilio=Twilio(token="f" * 32))
    assert (await unsigned.request(target)).status == 403


@pytest.mark.parametrize("stack", ["5"], indirect=True)
@pytest.mark.parametrize("wait_s", ["10"])
async def test_old_hold_is_a_new_step(stack: Stack) -> None:
    """A menu that was held may end with an empty `<Redirect>`, to the URL of its document: later, that is no held call."""
    await stack.start_processor()
    caller = await stack.caller().call(f"/voice?hookline=0.AAAAAAAAAAAAAAAAAAAAAA.{_ms_ago(100_000)}")
    assert caller.heard == ["press a key"]


def _ms_ago(ago_ms: int) -> int:
    return SystemClock().now_ms() - ago_ms


async def test_hook_gets_its_response(stack: Stack) -> None:
    """Status and body of the handler; without a processor, those of the route."""
    number = count()

    async def hook() -> Reply:
        params = [("FlowSid", "FW" + "1" * 32), ("number", str(next(number)))]
        return await stack.clients[0].post(Twilio().webhook(params, "/hook"))

    assert (await hook()).status == 503
    await stack.start_processor()
    reply = await until_answer(hook, lambda reply: reply.status != 503, "the handler answers in time")
    assert (reply.status, reply.content_type, reply.body) == (200, "application/json", b'{"ok": true}')


async def test_messages_are_answered_at_once(stack: Stack) -> None:
    """Their replies are sent, and nobody waits for them."""
    params = [("MessageSid", "SM" + "1" * 32), ("From", "+14155550123"), ("To", "+18005551212"), ("Body", "hi")]
    reply = await stack.clients[0].post(Twilio().webhook([*params, ("NumMedia", "0"), ("SmsStatus", "received")], "/voice"))
    assert reply.body == b"<Response/>"
    (marks,) = stack.redis.keys("*:marks:*")
    assert stack.redis.ttl(marks) > 3000  # as on any other route: only what waits may come again soon


async def test_arrays_are_answered_at_once(stack: Stack) -> None:
    """Their elements are events of their own, which nobody waits for, so none of them expires."""
    element = b'{"CallSid": "CA%032d", "CallStatus": "ringing", "Direction": "inbound"}'
    body = b"[" + b",".join(element % number for number in range(2)) + b"]"
    reply = await asyncio.wait_for(stack.clients[0].post(Twilio().json(body, "/stream")), 5)
    assert b"<Redirect" not in reply.body
    stored = Stored(stack.redis).events()
    assert len(stored) == 2
    assert not any(live_of(event.dedupe_key) for event in stored)


async def test_too_many_wait(redis_url: str, tmp_path: Path, redis_client: "redis.Redis") -> None:
    """Those above the limit are held at once."""
    (tmp_path / "hookline.toml").write_text(CONFIG)
    settings = ingress_settings(redis_url) | {"HOOKLINE_CONFIG": str(tmp_path / "hookline.toml"), "INGRESS_MAX_WAITING": "1"}
    async with running_ingress(settings) as ingress:
        waiting = asyncio.create_task(Caller([ingress.client]).request("/voice"))
        await until(lambda: redis_client.keys("*calls") != [], "one waits")
        reply = await asyncio.wait_for(Caller([ingress.client]).request("/voice"), 2)
        assert b"<Redirect" in reply.body
        waiting.cancel()


async def test_stop_holds_those_who_wait(redis_url: str, tmp_path: Path, redis_client: "redis.Redis") -> None:
    """They come back to another ingress, at once."""
    (tmp_path / "hookline.toml").write_text(CONFIG)
    settings = ingress_settings(redis_url) | {"HOOKLINE_CONFIG": str(tmp_path / "hookline.toml")}
    async with aiohttp.ClientSession() as session:
        async with running_ingress(settings) as ingress:
            waiting = asyncio.create_task(Caller([IngressClient(session, ingress.port)]).request("/voice"))
            await until(lambda: redis_client.keys("*calls") != [], "one waits")
        assert b"<Redirect" in (await waiting).body


async def test_redis_that_refuses_everything(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Redis nor a spool took the call: its caller hears the fallback at once."""

    async def append(self: Appender, batch: list[object], timeout_s: float) -> object:
        from hookline_shared.errors import BrokerUnavailableError  # noqa: PLC0415

        return [BrokerUnavailableError("away")] * len(batch)

    monkeypatch.setattr(Appender, "append", append)
    assert (await stack.caller().call()).heard == ["call us again"]


@pytest.mark.parametrize("called", ["https://hooks.example.com", "https://two.example.com/b", "https://proxied.example.com"])
async def test_call_comes_back_to_the_url_that_verified(
    redis_url: str, redis_client: "redis.Redis", tmp_path: Path, called: str
) -> None:
    """Whatever proxies call the host, and with the prefix of the public URL: at another one, nobody answers the call."""
    (tmp_path / "hookline.toml").write_text(CONFIG)
    settings = ingress_settings(redis_url) | {
        "HOOKLINE_CONFIG": str(tmp_path / "hookline.toml"),
        "INGRESS_LIVE_WAIT_S": "0.05",
        "INGRESS_TRUSTED_PROXIES": "127.0.0.0/8",
        "PUBLIC_URL": "https://hooks.example.com,https://two.example.com/a,https://two.example.com/b",
    }
    params = [("CallSid", "CA" + "1" * 32), ("AccountSid", ACCOUNT), ("CallStatus", "ringing"), ("Direction", "inbound")]
    webhook = Twilio(public_url=called).webhook(params, "/voice").with_header("X-Forwarded-Proto", "https")
    host = "proxied.example.com" if "proxied" in called else "two.example.com"
    async with running_ingress(settings) as ingress:
        reply = await ingress.client.post(webhook.with_header("X-Forwarded-Host", host))
    assert f'<Redirect method="POST">{called}/voice?hookline=' in reply.body.decode()
