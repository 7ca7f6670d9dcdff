"""A console as a process, in front of planted data, and pages of a real browser that complain about nothing.

Skipped unless `make test-browser` asks for it, which installs what drives the browser.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest
import redis

from hookline_shared.clock import SystemClock
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.redis.options import RedisOptions
from hookline_shared.streams.consume import Consumer
from hookline_shared.topics import DEFAULT_TOPICS
from tests.support.console.planted import LONG, SCRIPT, TEXT, TURNED, plant_dead_letters, plant_ledger, plant_unsettled
from tests.support.observability.logbook import Logbook
from tests.support.processes.command import Command
from tests.support.processor.feed import PARTITION, claim
from tests.support.storage.stored import PARTITIONS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

Result = TypeVar("Result")

WANTED: Final = "HOOKLINE_TEST_BROWSER"
_CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
_LINK: Final = re.compile(r"http://\S+/enter\S+")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a browser unless it is wanted."""
    if os.environ.get(WANTED):
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"make test-browser sets {WANTED}"))


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Yield Debian's Chromium."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only make test-browser installs it

    path = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    assert path, "no Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def planted_url(redis_url: str, redis_client: "redis.Redis") -> str:
    """Return the URL of a Redis with dead letters, a waiting lane, an unread event and a message in the outbox."""
    plant_dead_letters(redis_client, TEXT, SCRIPT, TURNED, LONG)
    aside(lambda: asyncio.run(_plant(redis_url, redis_client)))
    return redis_url


@pytest.fixture
def console_link(planted_url: str, tmp_path: Path) -> Iterator[str]:
    """Yield the link that a console has printed."""
    settings = {"CONSOLE_PORT": "0", "HOOKLINE_LEDGER_URL": aside(lambda: plant_ledger(tmp_path / "ledger.db"))}
    with Command(tmp_path, planted_url, settings).started("console") as process:
        yield link_of(process)


def aside(work: Callable[[], Result]) -> Result:
    """Return the result of `work`, done in a thread: Playwright keeps an event loop in this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(work).result()


def link_of(process: Any) -> str:
    """Return the link that the process prints first."""
    for line in process.stdout:
        if found := _LINK.search(line):
            return found[0]
    raise AssertionError(process.stderr.read())


@pytest.fixture
def context(browser: "Browser") -> Iterator["BrowserContext"]:
    """Yield a browser without cookies."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(context: "BrowserContext", console_link: str) -> Iterator["Page"]:
    """Yield a page that has signed in. At the end, whatever the browser complained about fails the test."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    page.goto(console_link)
    yield page
    assert complaints == []


async def _plant(url: str, client: "redis.Redis") -> None:
    options = RedisOptions(url=url, blocking_pool_size=2)
    broker = RedisConnectionManager(options, PARTITIONS, SystemClock(), Logbook().logger)
    try:
        consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker))
        await consumer.ensure_groups()
        await plant_unsettled(broker, consumer, client)
    finally:
        await broker.close()
