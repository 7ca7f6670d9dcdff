"""A bot that takes orders by SMS or WhatsApp: "2 soup, 1 tea".

    hookline up --handlers examples.order_bot:handlers
    hookline send message --body "2 soup, 1 tea"

Orders are stored in the SQLite file ORDERS_DB, by default orders.db. Replies are sent through Twilio's REST API with
TWILIO_ACCOUNT_SID, TWILIO_API_KEY and TWILIO_API_SECRET; without an account they are printed.
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
    """The orders in the SQLite file `path`. An order has a key, so that retries store it only once."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=1, check_same_thread=False)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute(_TABLE)

    def take(self, key: str, customer: str, items: Mapping[str, int]) -> tuple[int, bool]:
        """Store an order unless it exists. Return its number, and whether it was answered."""
        words = ", ".join(f"{count} {name}" for name, count in items.items())
        with self._lock, self._connection as connection:
            insert = "insert into orders (key, customer, items) values (?, ?, ?) on conflict do nothing"
            connection.execute(insert, (key, customer, words))
            number, answered = connection.execute("select number, answered from orders where key = ?", (key,)).fetchone()
            return number, bool(answered)

    def answered(self, key: str) -> None:
        """Mark the order as answered."""
        with self._lock, self._connection as connection:
            connection.execute("update orders set answered = 1 where key = ?", (key,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class Messenger(Protocol):
    """Sends text messages."""

    async def send(self, sender: str, recipient: str, text: str) -> None:
        """Send `text`."""
        ...


class Printer:
    """Prints messages instead of sending them."""

    async def send(self, sender: str, recipient: str, text: str) -> None:
        """Print `text`."""
        print(f"{sender} to {recipient}: {text}", flush=True)


class TwilioMessenger:
    """Sends messages through Twilio's REST API. `session` has the base URL and the API key."""

    def __init__(self, session: aiohttp.ClientSession, account: str) -> None:
        self._session = session
        self._path = f"/2010-04-01/Accounts/{account}/Messages.json"

    async def send(self, sender: str, recipient: str, text: str) -> None:
        """Send `text`.

        Raises:
            Reject: if Twilio refuses the message for good, for example because the customer has sent STOP.
            RetryLater: if the rate limit is exceeded.
            aiohttp.ClientResponseError: if another error occurs, which may be temporary.

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
    """Open the orders at start-up, and close them at shut-down."""
    with closing(Orders(os.environ.get("ORDERS_DB", "orders.db"))) as state[ORDERS]:
        yield


@handlers.lifespan
async def open_messenger(state: State) -> AsyncIterator[None]:
    """Create the messenger, with one HTTP session for all replies."""
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
    """Retry in a second, without counting a failure, while another process writes to the SQLite file."""
    try:
        await call_next(event, context)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise RetryLater(1) from error
        raise


@handlers.on(MessageReceived, timeout=20, retry=RetryPolicy(max_attempts=12, max=timedelta(minutes=10)))
async def take_order(event: MessageReceived, context: Context) -> None:
    """Take an order and reply with its number, or reply with the menu.

    The order is stored once even if the handler runs again, after a failed reply or a crash.
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
    """Log replies that were not delivered."""
    if event.message_status in {"failed", "undelivered"}:
        context.logger.warning("answer did not arrive", error_code=event.error_code)


handlers.ignore("call.*")


def read(text: str) -> dict[str, int]:
    """Return the ordered items with their counts, or an empty dict if one is not on the menu."""
    items: dict[str, int] = {}
    for part in re.split(r",|\band\b", text.lower()):
        match = _ITEM.fullmatch(part.strip())
        if match is None or match[2] not in MENU or not int(match[1]):
            return {}
        items[match[2]] = items.get(match[2], 0) + int(match[1])
    return items


def total(items: Mapping[str, int]) -> int:
    """Return the price of `items`, in cents."""
    return sum(MENU[name] * count for name, count in items.items())


def menu() -> str:
    """Return the menu as a sentence."""
    return "There is " + ", ".join(f"{name} {price(cents)}" for name, cents in MENU.items()) + "."


def price(cents: int) -> str:
    """Return an amount in cents as text."""
    return f"{cents // 100}.{cents % 100:02}"
