"""A bot that takes orders by SMS or WhatsApp: "2 soup, 1 tea".

    hookline up --handlers examples.order_bot:handlers
    hookline send message --body "2 soup, 1 tea"

Orders are stored in the SQLite file ORDERS_DB, by default orders.db. The processor sends the replies, with TWILIO_ACCOUNT_SID,
TWILIO_API_KEY and TWILIO_API_SECRET; without an account, they wait.
"""

import asyncio
import os
import re
import sqlite3
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from datetime import timedelta

from hookline import (
    CallNext,
    Context,
    Handlers,
    MessageReceived,
    MessageStatus,
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
    items text not null
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

    def take(self, key: str, customer: str, items: Mapping[str, int]) -> int:
        """Store an order unless it exists. Return its number."""
        words = ", ".join(f"{count} {name}" for name, count in items.items())
        with self._lock, self._connection as connection:
            insert = "insert into orders (key, customer, items) values (?, ?, ?) on conflict do nothing"
            connection.execute(insert, (key, customer, words))
            (number,) = connection.execute("select number from orders where key = ?", (key,)).fetchone()
            return int(number)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


ORDERS = StateKey[Orders]("orders")


@handlers.lifespan
async def open_orders(state: State) -> AsyncIterator[None]:
    """Open the orders at start-up, and close them at shut-down."""
    with closing(Orders(os.environ.get("ORDERS_DB", "orders.db"))) as state[ORDERS]:
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
async def take_order(event: MessageReceived, context: Context) -> str:
    """Take an order and reply with its number, or reply with the menu.

    If the handler runs again, after a failure or a crash, the order is stored once, and so is the reply sent.
    """
    items = read(event.body)
    if not items:
        return f'Tell us what you like, such as "2 soup, 1 tea". {menu()}'
    number = await asyncio.to_thread(context.state[ORDERS].take, context.idempotency_key, event.from_, items)
    context.logger.info("order taken", number=number)
    return f"Order {number}, {price(total(items))} in all. Thank you!"


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
