"""The page of `hookline dev`: what it tells of webhooks, what it sends again, and whom it lets in."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from hookline import CallReceived, Context, Handlers, MessageReceived, MessageStatus, Reject
from hookline_cli.dev.page import DevPage
from hookline_cli.workspace import StackFacts, Workspace
from tests.support.inbound.kinds import call, message, message_status
from tests.support.inbound.webhooks import PUBLIC_URL, TOKEN, Twilio
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.observability.logbook import Logbook
from tests.support.processor.local_processor import running_processor
from tests.support.waiting import until_answer

CONFIG = '[[routes]]\npath = "/voice"\nlive = true\n'
handlers = Handlers()


@handlers.on(MessageReceived)
async def answer(event: MessageReceived, _context: Context) -> str:
    await asyncio.sleep(0.01)  # so that the page has seen it
    return f"you wrote {event.body}"


@handlers.on(MessageStatus)
async def reject(_event: MessageStatus, _context: Context) -> None:
    await asyncio.sleep(0.01)
    raise Reject("a mistake of mine")


@handlers.on(CallReceived)
async def menu(_event: CallReceived, _context: Context) -> str:
    await asyncio.sleep(0.01)
    return "<Response><Say>hello</Say></Response>"


class Dev:
    """A page, and the ingress that it follows."""

    def __init__(self, page: DevPage, client: "TestClient[Any, Any]", ingress: LocalIngress) -> None:
        self.page, self.client, self.ingress = page, client, ingress

    async def webhooks(self) -> list[dict[str, Any]]:
        """Return what the page shows."""
        answered = await self.client.get(f"/{self.page.secret}/webhooks")
        found: list[dict[str, Any]] = await answered.json()
        return found

    async def shown(self, state: str, answers: int = 0, number: int = 1) -> dict[str, Any]:
        """Wait until the newest of `number` webhooks is in `state` with so many answers; return it."""

        def is_there(found: list[dict[str, Any]]) -> bool:
            return len(found) == number and found[0]["state"] == state and len(found[0]["answers"]) >= answers

        return (await until_answer(self.webhooks, is_there, f"it is {state}"))[0]


@pytest.fixture
async def dev(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Dev]:
    """Yield a page over services that run."""
    (tmp_path / "hookline.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    settings = ingress_settings(redis_url) | {"HOOKLINE_CONFIG": str(tmp_path / "hookline.toml")}
    page = DevPage(tmp_path)
    async with (
        running_ingress(settings) as ingress,
        running_processor(settings, handlers, Logbook()),
        TestClient(TestServer(page.application())) as client,
    ):
        Workspace(tmp_path).announce(StackFacts(public_url=PUBLIC_URL, local_url=f"http://127.0.0.1:{ingress.port}"))
        following = asyncio.create_task(page.follow())
        await until_answer(lambda: asyncio.sleep(0, page.is_following), bool, "the page follows")
        yield Dev(page, client, ingress)
        following.cancel()


async def test_message_and_its_reply(dev: Dev) -> None:
    """Parameters, body, state and the text that was sent; sent again, it is a new event with an answer of its own."""
    await dev.ingress.client.post(Twilio().webhook(message(Body="hi & bye", From="+14155550123"), "/twilio"))
    shown = await dev.shown("done", answers=1)
    assert (shown["kind"], shown["params"]["Body"]) == ("message.received", "hi & bye")
    assert "Body=hi" in shown["body"]
    assert shown["answers"] == ["to +14155550123: you wrote hi & bye"]
    answered = await dev.client.post(f"/{dev.page.secret}/again/{shown['id']}")
    assert (await answered.text()) == "200 <Response/>"
    again = await dev.shown("done", answers=1, number=2)
    assert again["params"]["Body"] == "hi & bye"
    assert again["params"]["MessageSid"] != shown["params"]["MessageSid"]


async def test_query_is_sent_as_it_is_signed(dev: Dev) -> None:
    """Characters that need not be escaped stay escaped: ingress would find the signature wrong."""
    await dev.ingress.client.post(Twilio().webhook(message(), "/twilio?shop=a%3Ab%2F(c)"))
    shown = await dev.shown("done", answers=1)
    answered = await dev.client.post(f"/{dev.page.secret}/again/{shown['id']}")
    assert (await answered.text()) == "200 <Response/>"


async def test_another_stack_is_not_followed(dev: Dev, tmp_path: Path) -> None:
    """Until the stack of the folder is up, nobody knows its Redis: that of the settings may be another stack's."""
    del dev
    page = DevPage(tmp_path / "new")
    await asyncio.wait_for(page.follow_stack(), 10)
    assert not page.is_following


async def test_dead_letter(dev: Dev) -> None:
    """The reason and the error."""
    await dev.ingress.client.post(Twilio().webhook(message_status(), "/twilio"))
    assert (await dev.shown("dead"))["error"] == "rejected: Reject: a mistake of mine"


async def test_call_and_its_answer(dev: Dev) -> None:
    """What the caller heard."""
    await dev.ingress.client.post(Twilio().webhook(call(), "/voice"))
    assert (await dev.shown("done", answers=1))["answers"] == ["<Response><Say>hello</Say></Response>"]


async def test_nobody_without_the_secret(dev: Dev) -> None:
    """Neither the page nor its actions; and what another page in the same browser does fails likewise."""
    for method, path in (
        ("GET", "/"),
        ("GET", "/webhooks"),
        ("GET", "/x/webhooks"),
        ("POST", "/again/1"),
        ("POST", "/x/again/1"),
    ):
        assert (await dev.client.request(method, path)).status == 404
    page = await dev.client.get(f"/{dev.page.secret}/")
    assert page.status == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert (await dev.client.post(f"/{dev.page.secret}/again/unknown")).status == 404


async def test_script_of_the_page(dev: Dev) -> None:
    """Everything that the page loads is there, with its type."""
    for name, content_type in (("page.js", "text/javascript"), ("page.css", "text/css")):
        answered = await dev.client.get(f"/{dev.page.secret}/{name}")
        assert (answered.status, answered.content_type) == (200, content_type)


async def test_ingress_that_is_away(dev: Dev, monkeypatch: pytest.MonkeyPatch) -> None:
    """The button says so."""
    await dev.ingress.client.post(Twilio().webhook(message(), "/twilio"))
    shown = await dev.shown("done", answers=1)

    def refuse(*_words: object, **_named: object) -> None:
        raise aiohttp.ClientConnectionError("refused")

    monkeypatch.setattr(aiohttp.ClientSession, "request", refuse)
    webhook = dev.page.webhooks.find(shown["id"])
    assert webhook is not None
    assert (await dev.page.send_again(webhook)).startswith("ingress does not answer")
