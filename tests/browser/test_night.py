"""Somebody is called at night: finds what failed, understands it, fixes the handler, replays, and sees that all is well."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.browser.conftest import link_of
from tests.support.processes.command import Command, Result, ended, interrupt
from tests.support.servers.ports import free_port
from tests.support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

_BOT: Final = """
from pathlib import Path
from hookline import Context, Handlers, MessageReceived

handlers = Handlers()

@handlers.on(MessageReceived)
async def answer(event: MessageReceived, context: Context) -> None:
    if not Path("fixed").exists():
        raise LookupError("the table of orders has no column customer_id")
"""
_PATIENCE_MS: Final = PATIENCE_S * 1000


@pytest.fixture
def command(tmp_path: Path, redis_url: str) -> Iterator[Command]:
    """Yield `hookline` beside a `hookline up` whose handler fails."""
    (tmp_path / "bot.py").write_text(_BOT)
    ports = {f"{name}_PORT": str(free_port()) for name in ("INGRESS", "INGRESS_ADMIN", "PROCESSOR_ADMIN")}
    settings = ports | {"PROCESSOR_HANDLERS": "bot:handlers", "PROCESSOR_MAX_ATTEMPTS": "1", "CONSOLE_PORT": "0"}
    command = Command(tmp_path, redis_url, settings)
    with command.started("up") as up:
        deadline = time.monotonic() + PATIENCE_S
        while run(command, "status").code and time.monotonic() < deadline:
            assert up.poll() is None, up.communicate()
        yield command
        interrupt(up)


def run(command: Command, *words: str) -> Result:
    with command.started(*words) as process:
        return ended(process)


def test_failed_conversation_is_found_and_fixed(command: Command, context: "BrowserContext", tmp_path: Path) -> None:
    """From the link in the terminal to "All is well" without leaving the browser, except to fix the handler."""
    assert run(command, "send", "message", "--body", "where is my order").code == 0
    with command.started("console") as console:
        page = context.new_page()
        page.goto(link_of(console))
        page.wait_for_selector("text=1 event could not be handled", timeout=_PATIENCE_MS)
        page.click("table a.bad")
        assert "the table of orders has no column customer_id" in page.inner_text("main")
        page.click("ul.rows >> nth=-1 >> a.mono")
        assert 'File "' in page.inner_text("pre")
        (tmp_path / "fixed").touch()
        page.click("text=Replay …")
        page.fill("input[name=why]", "column added")
        page.click("button:has-text('Replay 1')")
        page.wait_for_selector("text=1 replayed.")
        page.click("nav >> text=Conversations")
        page.click("main .rows a >> nth=0")
        page.wait_for_selector("text=its events")
        page.click("text=its events")
        page.wait_for_selector("text=handled after 1 attempt")
        page.click("nav >> text=Overview")
        page.wait_for_selector("text=could not be handled", state="detached", timeout=_PATIENCE_MS)
        assert re.search(r"All is well|It works", page.inner_text(".headline"))
