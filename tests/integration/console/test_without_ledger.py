"""A console without a ledger: every page works, and nothing of a database is imported for it, which takes 28 MB of memory."""

import sys

import pytest
import redis

from tests.support.console.local_console import LocalConsole
from tests.support.console.planted import SID
from tests.support.storage.dead_letters import write_dead_letters

_DATABASE = ("sqlalchemy", "hookline_processor.ledger.search", "hookline_processor.ledger.database.engine")
_EVENT_ID = "0" * 32


@pytest.mark.parametrize(
    "path", ["/", "/conversations", f"/events/{SID}", f"/events/{_EVENT_ID}", "/dead", "/waiting", "/outbox"]
)
async def test_pages_import_no_database(
    console: LocalConsole, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Where an import of the database would fail, the page is there."""
    write_dead_letters(redis_client, 1)
    for module in _DATABASE:
        monkeypatch.setitem(sys.modules, module, None)
    await (await console.signed_in()).text(path)


@pytest.mark.parametrize("path", [f"/conversations/{_EVENT_ID}", "/conversations?number=%2B14155550100"])
async def test_what_needs_a_ledger_says_so(console: LocalConsole, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """The page says what is missing and how to get it."""
    for module in _DATABASE:
        monkeypatch.setitem(sys.modules, module, None)
    page = await (await console.signed_in()).get(path)
    assert "There is no ledger" in await page.text()
    assert page.status < 500
