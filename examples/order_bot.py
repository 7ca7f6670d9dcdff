"""A bot that takes orders by SMS or WhatsApp: "2 soup, 1 tea".

    hookline up --handlers examples.order_bot:handlers
    hookline send message --body "2 soup, 1 tea"

Orders lie in the SQLite file ORDERS_DB, by default orders.db. Answers go through Twilio's REST API with TWILIO_ACCOUNT_SID,
TWILIO_API_KEY and TWILIO_API_SECRET; without an account they are printed.
"""

import asyncio
import os
import re
import sqlite3
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from datetime import timedelta
from http import HTTPStatus
from typing import Protocol

import aiohttp

from hookline import (
    CallNext,
    Context,
    Handlers,
    MessageReceived,
    MessageStatus,
    Reject,
    RetryLater,
    RetryPolicy,
    State,
    StateKey,
    WebhookEvent,
)

MENU = {"soup": 450, "cake": 390, "tea": 250}
"""Prices in cents."""

_ITEM = re.compile(r"(\d{1,2})\s+([a-z]+?)s?")
_TABLE = """
create table if not exists orders (
    number integer primary key,
    key text unique not null,
    customer text not null,
    items text not null,
    answered integer not null default 0
)
"""

handlers = Handlers()


class Orders:
    """The orders in the SQLite file `path`. Every order has a key, under which it is taken once, however often it is tried."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=1, check_same_thread=False)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute(_TABLE)

    def take(self, key: str, customer: str, items: Mapping[str, int]) -> tuple[int, bool]:
        """Keep an order, unless it is there; return its number, and whether it was answered."""
        words = ", ".join(f"{count} {name}" for name, count in items.items())
        with self._lock, self._connection as connection:
            insert = "insert into orders (key, customer, items) values (?, ?, ?) on conflict do nothing"
            connection.execute(insert, (key, customer, words))
            number, answered = connection.execute("select number, answered from orders where key = ?", (key,)).fetchone()
            return number, bool(answered)

    def answered(self, key: str) -> None:
        """Remember that the customer knows."""
        with self._lock, self._connection as connection:
            connection.execute("update orders set answered = 1 where key = ?", (key,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class Messenger(Protocol):
    """What sends text messages."""

    async def send(self, sender: str, recipient: str, text: str) -> None:
        """Send `text`."""
        ...


class Printer:
    """Prints messages, for trying things out."""

    async def send(self, sender: str, recipient: str, text: str) -> None:
        """Print `text`."""
        print(f"{sender} to {recipient}: {text}", flush=True)


class TwilioMessenger:
    """Sends messages through Twilio's REST API, on a session that knows address and key."""

    def __init__(self, session: aiohttp.ClientSession, account: str) -> None:
        self._session = session
        self._path = f"/2010-04-01/Accounts/{account}/Messages.json"

    async def send(self, sender: str, recipient: str, text: str) -> None:
        """Send `text`.

        Raises:
            Reject: if Twilio will never send it, for example since the customer has said STOP.
            RetryLater: if we send too much at once.
            aiohttp.ClientResponseError: if something else is wrong, which may be over at the next attempt.

        """
        form = {"From": sender, "To": recipient, "Body": text}
        async with self._session.post(self._path, data=form) as answer:
            if answer.status == HTTPStatus.BAD_REQUEST:
                raise Reject(f"Twilio refuses the answer, error {(await answer.json()).get('code')}")
            if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                raise RetryLater(float(answer.headers.get("Retry-After", 5)))
            answer.raise_for_status()


ORDERS = StateKey[Orders]("orders")
MESSENGER = StateKey[Messenger]("messenger")


@handlers.lifespan
async def open_orders(state: State) -> AsyncIterator[None]:
    """Open the file of orders, and close it in the end."""
    with closing(Orders(os.environ.get("ORDERS_DB", "orders.db"))) as state[ORDERS]:
        yield


@handlers.lifespan
async def open_messenger(state: State) -> AsyncIterator[None]:
    """Make what answers: one session, whose connections all answers share."""
    account = os.environ.get("TWILIO_ACCOUNT_SID")
    if account is None:
        state[MESSENGER] = Printer()
        yield
        return
    key = b64encode(f"{os.environ['TWILIO_API_KEY']}:{os.environ['TWILIO_API_SECRET']}".encode()).decode()
    async with aiohttp.ClientSession(
        os.environ.get("TWILIO_API_URL", "https://api.twilio.com"),
        headers={"Authorization": f"Basic {key}"},
        timeout=aiohttp.ClientTimeout(total=10),
    ) as session:
        state[MESSENGER] = TwilioMessenger(session, account)
        yield


@handlers.middleware
async def wait_for_the_file(event: WebhookEvent, context: Context, call_next: CallNext) -> None:
    """Try again soon, and without counting it as a failure, while another process writes to the file of orders."""
    try:
        await call_next(event, context)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise RetryLater(1) from error
        raise


@handlers.on(MessageReceived, timeout=20, retry=RetryPolicy(max_attempts=12, max=timedelta(minutes=10)))
async def take_order(event: MessageReceived, context: Context) -> None:
    """Take an order and say its number, or say what there is.

    The order is taken once, also if this is run again: for the answer that failed, or since the process died.
    """
    items = read(event.body)
    messenger = context.state[MESSENGER]
    if not items:
        await messenger.send(event.to, event.from_, f'Tell us what you like, such as "2 soup, 1 tea". {menu()}')
        return
    orders = context.state[ORDERS]
    number, answered = await asyncio.to_thread(orders.take, context.idempotency_key, event.from_, items)
    if answered:
        return
    context.logger.info("order taken", number=number)
    await messenger.send(event.to, event.from_, f"Order {number}, {price(total(items))} in all. Thank you!")
    await asyncio.to_thread(orders.answered, context.idempotency_key)


@handlers.on(MessageStatus)
def note_trouble(event: MessageStatus, context: Context) -> None:
    """Tell of answers that did not arrive."""
    if event.message_status in {"failed", "undelivered"}:
        context.logger.warning("answer did not arrive", error_code=event.error_code)


handlers.ignore("call.*")


def read(text: str) -> dict[str, int]:
    """Return what is ordered and how many of each; nothing unless all of it is on the menu."""
    items: dict[str, int] = {}
    for part in re.split(r",|\band\b", text.lower()):
        match = _ITEM.fullmatch(part.strip())
        if match is None or match[2] not in MENU or not int(match[1]):
            return {}
        items[match[2]] = items.get(match[2], 0) + int(match[1])
    return items


def total(items: Mapping[str, int]) -> int:
    """Return what `items` cost, in cents."""
    return sum(MENU[name] * count for name, count in items.items())


def menu() -> str:
    """Say what there is."""
    return "There is " + ", ".join(f"{name} {price(cents)}" for name, cents in MENU.items()) + "."


def price(cents: int) -> str:
    """Write an amount."""
    return f"{cents // 100}.{cents % 100:02}"
