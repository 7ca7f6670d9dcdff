"""The example bot, tested as a user tests handlers: with the test kit."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from examples.order_bot import Orders, handlers, read, total
from hookline.testing import Dead, Done, Reason, Retry, deliver, make_event, started


class Twilio:
    """Twilio's REST API, as far as the bot needs it. It answers with `status`."""

    def __init__(self) -> None:
        self.status = 201
        self.sent: list[str] = []
        self.auth: set[str] = set()

    async def take(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.auth.add(request.headers["Authorization"])
        if self.status == 201:
            self.sent.append("{From!s} to {To!s}: {Body!s}".format(**form))
        headers = {"Retry-After": "7"} if self.status == 429 else {}
        return web.json_response({"code": 21610, "sid": "SM1"}, status=self.status, headers=headers)


@pytest.fixture
def orders_db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "orders.db"
    monkeypatch.setenv("ORDERS_DB", str(path))
    monkeypatch.delenv("TWILIO_ACCOUNT_SID", raising=False)
    return path


@pytest.fixture
async def twilio(orders_db: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Twilio]:
    """Yield a running bot's Twilio."""
    made = Twilio()
    app = web.Application()
    app.router.add_post("/2010-04-01/Accounts/AC1/Messages.json", made.take)
    async with TestServer(app) as server:
        monkeypatch.setenv("TWILIO_API_URL", str(server.make_url("")))
        for name, value in {"ACCOUNT_SID": "AC1", "API_KEY": "SK1", "API_SECRET": "secret"}.items():
            monkeypatch.setenv(f"TWILIO_{name}", value)
        async with started(handlers):
            yield made


def kept(path: Path) -> list[tuple[str, str, int]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("select customer, items, answered from orders order by number").fetchall()


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


async def test_order_is_kept_and_answered(twilio: Twilio, orders_db: Path) -> None:
    """The order is in the file, and the customer knows its number."""
    event = make_event("message.received", Body="2 soup, 1 tea", From="whatsapp:+14155550123", To="whatsapp:+18005551212")
    assert await deliver(handlers, event) == Done()
    assert kept(orders_db) == [("whatsapp:+14155550123", "2 soup, 1 tea", 1)]
    assert twilio.sent == ["whatsapp:+18005551212 to whatsapp:+14155550123: Order 1, 11.50 in all. Thank you!"]
    assert twilio.auth == {"Basic U0sxOnNlY3JldA=="}


async def test_same_event_twice_is_one_order(twilio: Twilio, orders_db: Path) -> None:
    """An event that is handled again, after a crash, is neither ordered nor answered again."""
    event = make_event("message.received", Body="1 tea")
    for _ in range(2):
        assert await deliver(handlers, event) == Done()
    assert len(kept(orders_db)) == len(twilio.sent) == 1


async def test_answer_is_tried_again(twilio: Twilio, orders_db: Path) -> None:
    """While Twilio has trouble the order is kept, and the answer comes with a later attempt."""
    event = make_event("message.received", Body="1 tea")
    twilio.status = 500
    assert isinstance(await deliver(handlers, event), Retry)
    assert kept(orders_db) == [("+15005550006", "1 tea", 0)]
    twilio.status = 201
    assert await deliver(handlers, event, attempt=2) == Done()
    assert kept(orders_db) == [("+15005550006", "1 tea", 1)]
    assert len(twilio.sent) == 1


async def test_too_many_requests_is_no_failure(twilio: Twilio) -> None:
    """The bot comes back when Twilio says, without using up its attempts."""
    twilio.status = 429
    outcome = await deliver(handlers, "message.received", Body="1 tea", attempt=12)
    assert isinstance(outcome, Retry)
    assert outcome.failure is None
    assert outcome.record.failures == 11


async def test_refused_answer_is_dead_at_once(twilio: Twilio) -> None:
    """A customer who has said STOP cannot be answered, however often one tries."""
    twilio.status = 400
    outcome = await deliver(handlers, "message.received", Body="1 tea")
    assert isinstance(outcome, Dead)
    assert (outcome.reason, outcome.failure.message) == (Reason.REJECTED, "Twilio refuses the answer, error 21610")


async def test_without_an_account_answers_are_printed(orders_db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever tries the bot sees what it would send."""
    async with started(handlers):
        assert await deliver(handlers, "message.received", Body="hello") == Done()
    assert 'Tell us what you like, such as "2 soup, 1 tea". There is soup 4.50, cake 3.90, tea 2.50.' in capsys.readouterr().out
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
