"""Reads entries page by page, without blocking the server or filling the memory."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Final, TypeVar

from hookline_shared.batch_size import BatchSize
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Entry

FIRST: Final = "-"
LAST: Final = "+"

_LARGEST_PAGE: Final = 1000
_PAGE_BYTES: Final = 2 << 20

Answer = TypeVar("Answer")


def page_size(most: int = _LARGEST_PAGE) -> BatchSize:
    """Return the size of pages whose entries have from 100 bytes to some megabytes."""
    return BatchSize(most, _PAGE_BYTES)


async def read_page(size: BatchSize, ask: Callable[[int], Awaitable[Answer]]) -> Answer:
    """Return the answer to `ask` for as many entries as `size` says; if there is none, ask for a single entry.

    Raises:
        BrokerUnavailableError: if Redis did not answer that either.

    """
    if (count := size.count) > 1:
        try:
            return await ask(count)
        except BrokerUnavailableError as error:
            if error.code:  # Redis has refused it, whatever its size
                raise
            size.failed()
    return await ask(1)


async def pages(redis: RedisConnectionManager, stream: str, first: str = FIRST, last: str = LAST) -> AsyncIterator[list[Entry]]:
    """Yield the entries of `stream` from `first` to `last`, both included, oldest first.

    Entries that are appended meanwhile may be included; entries that are removed meanwhile may be missing.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    size = page_size()
    while True:
        ask = partial(redis.execute, "xrange", stream, "XRANGE", stream, first, last, "COUNT")
        page = [Entry(entry_id.decode(), fields) for entry_id, fields in await read_page(size, ask)]
        if page:
            yield page
        if len(page) < size.count:
            return
        size.succeeded(len(page), bytes_of(page))
        first = f"({page[-1].id}"


def bytes_of(entries: Iterable[Entry]) -> int:
    """Return the size of `entries`."""
    return sum(sum(map(len, entry.fields or ())) for entry in entries)
