"""What people wrote and who they are: masked for all, shown on demand, and never obeyed by a browser."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis

from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from tests.support.console.local_console import REVEALER, Browser, LocalConsole, running_console
from tests.support.console.planted import (
    LONG,
    NAME,
    NUMBER,
    SCRIPT,
    SECRETS,
    SID,
    TEXT,
    TURNED,
    plant_dead_letters,
    plant_ledger,
    plant_unsettled,
)

_LINK = re.compile(r'(?:href|hx-get|src)="(/[^"]*)"')
_MOST_PAGES = 150


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    return plant_ledger(tmp_path / "ledger.db")


@pytest.fixture
async def planted(
    ledger_url: str,
    redis_url: str,
    redis_client: "redis.Redis",
    broker: RedisConnectionManager,
    consumer: Consumer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[LocalConsole]:
    """Yield a console in front of personal data in every place."""
    monkeypatch.setenv("HOOKLINE_LEDGER_URL", ledger_url)
    plant_dead_letters(redis_client, TEXT, SCRIPT, TURNED)
    await plant_unsettled(broker, consumer, redis_client)
    async with running_console(redis_url, tmp_path) as console:
        yield console


async def crawl(browser: Browser, start: str = "/") -> dict[str, str]:
    """Return the texts of all pages that links lead to, by their addresses."""
    pages: dict[str, str] = {}
    waiting = [start, "/conversations", f"/events/{SID}", "/jobs"]
    while waiting and len(pages) < _MOST_PAGES:
        path = waiting.pop(0)
        if path in pages:
            continue
        answer = await browser.get(path)
        pages[path] = f"{answer.headers} {await answer.text()}"
        assert answer.status in (200, 303, 403), (path, answer.status)
        waiting += [link.replace("&amp;", "&") for link in _LINK.findall(pages[path])]
    return pages


async def test_crawl_finds_no_person(planted: LocalConsole) -> None:
    """Whatever page, link or header somebody gets without revealing: not one number, name or text is in it."""
    pages = await crawl(await planted.signed_in(REVEALER))
    assert len(pages) > 30
    for kind in ("/dead/", "/events/", "/conversations/", "/outbox", "/waiting", "/services", "/audit"):
        assert any(path.startswith(kind) for path in pages), kind
    found = {(path, secret) for path, text in pages.items() for secret in SECRETS if secret in text}
    assert found == set()


async def test_viewer_finds_no_person(planted: LocalConsole) -> None:
    """The same for a viewer, who is offered no action."""
    pages = await crawl(await planted.signed_in())
    assert {(path, secret) for path, text in pages.items() for secret in SECRETS if secret in text} == set()
    assert not any("Replay all" in text or 'action="/pauses"' in text for text in pages.values())


async def test_revealed_texts_are_not_obeyed(planted: LocalConsole, redis_client: "redis.Redis") -> None:
    """Script in a message, an override of direction and a name of 10 kB are text, also when they are revealed."""
    plant_dead_letters(redis_client, LONG)
    revealer = await planted.signed_in(REVEALER)
    letters = re.findall(r'href="(/dead/\d+:\d+-\d+)"', await revealer.text("/dead"))
    texts = [await (await revealer.post(f"{path}/reveal", why="test")).text() for path in dict.fromkeys(letters)]
    everything = "".join(texts)
    assert len(texts) == 4
    assert LONG.strip() in everything
    assert NAME in everything
    assert NUMBER in everything
    assert "&lt;script&gt;alert" in everything
    assert "<script>alert" not in everything
    assert "<img src=x" not in everything
    assert "\\u202e" in everything
    assert not {"\u202e", "\u202c", "\u2066", "\u2069"} & set(everything)


async def test_thread_is_a_chat(planted: LocalConsole) -> None:
    """The conversation of two parties in order, the failed message marked, its text on demand and recorded."""
    revealer = await planted.signed_in(REVEALER)
    (path, *_) = re.findall(r'href="(/conversations/[^"?]+)"', await revealer.text("/conversations?status=undelivered"))
    text = await revealer.text(path)
    assert text.count('class="chat"') == 1
    assert text.count("data-row") == 4
    assert "ours failed" in text
    shown = await (await revealer.post(f"{path}/reveal", why="case 7")).text()
    assert "my pin is tulip7" in shown
    assert NUMBER in shown
    found = await revealer.text(f"/conversations?number={NUMBER[1:]}")
    assert path.rpartition("/")[0] in found
    assert "Nothing found" in await revealer.text("/conversations?number=447700900000")
    assert "is no SID" in await revealer.text("/conversations?sid=SM1")


async def test_ledger_away_is_said(console: LocalConsole, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a ledger, or with one that cannot be read, the pages say what to do, and everything else works."""
    plant_dead_letters(redis_client, TEXT)
    viewer = await console.signed_in()
    assert "There is no ledger" in await viewer.text("/conversations")
    assert "Dead letter" in await viewer.text(f"/events/{SID}")
    monkeypatch.setenv("HOOKLINE_LEDGER_URL", "sqlite:////nonexistent/ledger.db")
    assert "does not exist yet" in await viewer.text("/conversations")
    text = await viewer.text(f"/events/{SID}")
    assert "Dead letter" in text
    assert "does not exist yet" in text
    assert (await viewer.get("/conversations/" + "0" * 32)).status == 400


async def test_event_tells_one_story(planted: LocalConsole) -> None:
    """A SID leads to what waits, what is dead and what was settled, in one list, with Twilio's error explained."""
    viewer = await planted.signed_in()
    answer = await viewer.get(f"/events?q={SID}")
    assert answer.headers["Location"] == f"/events/{SID}"
    text = await viewer.text(f"/events/{SID}")
    for words in ("What happened", "Dead letter", "Settled", "handled after 1 attempt"):
        assert words in text
    failed = await viewer.text(f"/events/{SID[:-1]}c")
    assert "error 30003, Unreachable destination handset" in failed
    assert "Not found in the topics" in await viewer.text("/events/SM" + "f" * 32)
    assert "neither an event id" in await (await viewer.get("/events/nonsense")).text()
