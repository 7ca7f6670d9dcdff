"""Reads a stream page by page, without blocking the server or filling the memory."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Entry

FIRST: Final = "-"
LAST: Final = "+"

_FIRST_PAGE: Final = 100
_LARGEST_PAGE: Final = 1000
_PAGE_BYTES: Final = 4 << 20
"""The intended size of a page in bytes; entries have from 1 KB to 1 MB."""


async def pages(redis: RedisConnectionManager, stream: str, first: str = FIRST, last: str = LAST) -> AsyncIterator[list[Entry]]:
    """Yield the entries of `stream` from `first` to `last`, both included, oldest first.

    Entries that are appended meanwhile may be included; entries that are removed meanwhile may be missing.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    size = _FIRST_PAGE
    while True:
        reply = await redis.execute("xrange", stream, "XRANGE", stream, first, last, "COUNT", size)
        page = [Entry(entry_id.decode(), fields) for entry_id, fields in reply]
        if page:
            yield page
        if len(page) < size:
            return
        first = f"({page[-1].id}"
        size = _next_size(size, page)


def _next_size(size: int, page: Sequence[Entry]) -> int:
    """Return the number of entries of the page after `page`, by the mean size of those of `page`."""
    mean = sum(sum(map(len, entry.fields or ())) for entry in page) // len(page) + 1
    return max(1, min(_LARGEST_PAGE, 2 * size, _PAGE_BYTES // mean))
