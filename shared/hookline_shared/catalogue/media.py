"""Fetching what a webhook only names: attachments of messages, and recordings.

The events know the URLs. Who fetches is set by the processor, or by a test: `MEDIA_FETCHER`.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol

MOST_MEDIA_BYTES: Final = 32 << 20
"""The size limit of what is fetched, unless the caller gives another one. Twilio's own for attachments is 16 MB."""


class MediaError(Exception):
    """Something was not fetched. Another attempt may succeed. The text has neither the URL nor the content."""


@dataclass(frozen=True, slots=True)
class Media:
    """Something that was fetched. `content` has its bytes, `size` of them, or is empty if they were written to `path`."""

    content_type: str
    size: int
    content: bytes = b""
    path: Path | None = None

    def __repr__(self) -> str:
        return f"<Media {self.content_type}, {self.size} bytes>"


class MediaRequest(NamedTuple):
    """What to fetch: the `url` in a webhook of `account`, into memory, or into the file `path`; `most_bytes` at most."""

    url: str
    account: str
    path: Path | None
    most_bytes: int


class MediaFetcher(Protocol):
    """Fetches media."""

    async def __call__(self, request: MediaRequest) -> Media:
        """Return what was fetched. Raise `MediaError` if it cannot be."""
        ...


MEDIA_FETCHER: Final[ContextVar[MediaFetcher | None]] = ContextVar("media_fetcher", default=None)


async def fetch(url: str, account: str, path: Path | str | None, most_bytes: int) -> Media:
    """Return what is at `url`, which a webhook of `account` has named.

    Raises:
        MediaError: if it cannot be fetched.

    """
    fetcher = MEDIA_FETCHER.get()
    if fetcher is None:
        raise MediaError("There is nothing to fetch media from here. In a test, pass twilio=fake_twilio to deliver.")
    return await fetcher(MediaRequest(url, account, Path(path) if path is not None else None, most_bytes))
