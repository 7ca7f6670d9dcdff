"""The example bot, tested as a user tests handlers: with the test kit."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from examples.order_bot import Orders, handlers, read, total
from hookline import Reply
from hookline.testing import Done, Retry, deliver, make_event, started


@pytest.fixture
def orders_db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "orders.db"
    monkeypatch.setenv("ORDERS_DB", str(path))
    return path


def kept(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("select customer, items from orders order by number").fetchall()


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("2 soup, 1 tea", {"soup": 2, "tea": 1}),
        (" 1 Tea and 2 teas", {"tea": 3}),
        ("2 soups\n", {"soup": 2}),
        ("2 soup, 1 pizza", {}),
        ("0 tea", {}),
        ("hello", {}),
        ("", {}),
    ],
)
def test_orders_are_read(text: str, items: dict[str, int]) -> None:
    """An order is understood as a whole, or not at all."""
    assert read(text) == items


def test_total() -> None:
    """Prices are added up."""
    assert total({"soup": 2, "tea": 1}) == 1150


async def test_order_is_kept_and_answered(orders_db: Path) -> None:
    """The order is in the file, and the customer knows its number; also if the event is handled again, after a crash."""
    event = make_event("message.received", Body="2 soup, 1 tea", From="whatsapp:+14155550123", To="whatsapp:+18005551212")
    async with started(handlers):
        for attempt in (1, 2):
            outcome = await deliver(handlers, event, attempt=attempt)
            assert outcome == Done()
            assert outcome.replies == [Reply("Order 1, 11.50 in all. Thank you!")]
    assert kept(orders_db) == [("whatsapp:+14155550123", "2 soup, 1 tea")]


async def test_what_is_no_order_is_answered_with_the_menu(orders_db: Path) -> None:
    """And not stored."""
    async with started(handlers):
        outcome = await deliver(handlers, "message.received", Body="hello")
    expected = 'Tell us what you like, such as "2 soup, 1 tea". There is soup 4.50, cake 3.90, tea 2.50.'
    assert [reply.body for reply in outcome.replies] == [expected]
    assert kept(orders_db) == []


async def test_busy_file_is_waited_for(orders_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that writes to the file costs no attempt."""

    def busy(*_arguments: object) -> None:
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error

    monkeypatch.setattr(Orders, "take", busy)
    async with started(handlers):
        outcome = await deliver(handlers, "message.received", Body="1 tea")
    assert isinstance(outcome, Retry)
    assert outcome.failure is None


@pytest.mark.parametrize("kind", ["message.status", "call.received"])
async def test_everything_else_is_settled(orders_db: Path, kind: str) -> None:
    """Calls and the status of answers leave no dead letters behind."""
    async with started(handlers):
        assert await deliver(handlers, kind, MessageStatus="undelivered", ErrorCode="30003") == Done()
