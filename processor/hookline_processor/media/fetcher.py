"""Fetches media from Twilio, with credentials only for Twilio's hosts.

A webhook may name what Twilio does not have ready yet, so a 404 is tried again for some seconds, as is what fails in passing.
Twilio redirects to where the bytes are; credentials do not go there.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

import aiohttp

from hookline_processor.media.addresses import Credentials, is_twilio, redirected
from hookline_processor.media.errors import MediaTooLargeError
from hookline_shared.catalogue.media import Media, MediaError, MediaRequest
from hookline_shared.clock import Clock

DELAYS_S: Final = (0.5, 1.0, 2.0, 4.0)
"""How long to wait before each further try, in seconds."""
_CONNECT_S: Final = 5.0
_READ_S: Final = 15.0
_CHUNK: Final = 64 << 10
_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_IN_PASSING: Final = frozenset({404, 408, 425, 429, 500, 502, 503, 504})
_REFUSED: Final = frozenset({401, 403})
_OK: Final = 200


class _NotYetError(MediaError):
    """It may work in a moment."""


class HttpMediaFetcher:
    """Fetches by HTTP. `credentials(account)` returns those of an account, or None; `base` is the base of Twilio's API."""

    def __init__(self, credentials: Callable[[str], Credentials | None], base: str, clock: Clock) -> None:
        self._credentials = credentials
        self._base = base
        self._clock = clock
        limits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_READ_S)
        self._session = aiohttp.ClientSession(timeout=limits, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)

    async def __call__(self, request: MediaRequest) -> Media:
        """Return what was fetched.

        Raises:
            MediaError: if it cannot be fetched, or not yet.
            MediaTooLargeError: if it is too large.

        """
        for delay_s in DELAYS_S:
            with suppress(_NotYetError):
                return await self._fetch(request)
            await self._clock.sleep(delay_s)
        return await self._fetch(request)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _fetch(self, request: MediaRequest) -> Media:
        try:
            return await self._follow(request)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _NotYetError(f"Twilio cannot be reached, or cut the answer: {type(error).__name__}.") from None

    async def _follow(self, request: MediaRequest) -> Media:
        url, headers = request.url, self._authorization(request)
        for _ in range(_MOST_REDIRECTS + 1):
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status in _REDIRECTS:
                    url, headers = redirected(url, response.headers.get("Location", ""), self._base), {}
                    continue
                _check(response.status)
                return await _store(response, request)
        raise MediaError("Twilio redirects again and again, so nothing was fetched.")

    def _authorization(self, request: MediaRequest) -> dict[str, str]:
        if not is_twilio(request.url, self._base):
            raise MediaError("The URL is none of Twilio's, so nothing was fetched.")
        credentials = self._credentials(request.account)
        if credentials is None:
            raise MediaError("There are no credentials of the account: set TWILIO_ACCOUNT_SID and TWILIO_API_SECRET.")
        return {"Authorization": credentials.header}


def _check(status: int) -> None:
    if status in _IN_PASSING:
        raise _NotYetError(f"Twilio answers {status}: it is not there yet, or cannot be had now.")
    if status in _REFUSED:
        raise MediaError(f"Twilio refuses the credentials ({status}).")
    if status != _OK:
        raise MediaError(f"Twilio answers {status}.")


async def _store(response: aiohttp.ClientResponse, request: MediaRequest) -> Media:
    """Return what is in the answer: in memory, or in a file that appears when it is complete."""
    if (response.content_length or 0) > request.most_bytes:
        raise MediaTooLargeError(request.most_bytes)
    content_type = response.headers.get("Content-Type", "")
    if request.path is None:
        buffer = BytesIO()
        size = await _copy(response, buffer, request.most_bytes)
        return Media(content_type, size, buffer.getvalue())
    part = request.path.with_name(f".{request.path.name}.part")
    try:
        with await asyncio.to_thread(part.open, "wb") as file:
            size = await _copy(response, file, request.most_bytes)
        await asyncio.to_thread(os.replace, part, request.path)
    finally:
        await asyncio.to_thread(Path.unlink, part, missing_ok=True)
    return Media(content_type, size, path=request.path)


async def _copy(response: aiohttp.ClientResponse, file: BinaryIO, most_bytes: int) -> int:
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > most_bytes:
            raise MediaTooLargeError(most_bytes)
        if isinstance(file, BytesIO):
            file.write(chunk)
        else:
            await asyncio.to_thread(file.write, chunk)
    return size
