"""Twilio's side: a client that delivers signed webhooks over and over until they are acknowledged."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp

from cli.samples import sign

TOKEN = "0123456789abcdef0123456789abcdef"
PUBLIC_URL = "https://hooks.example.com"
"""The URL that Twilio signs; what is really called is a port on loopback, as behind a proxy."""

INGRESS_SETTINGS = {
    "PUBLIC_URL": PUBLIC_URL,
    "TWILIO_AUTH_TOKEN": TOKEN,
    "INGRESS_HOST": "127.0.0.1",
}


class Twilio:
    """Posts webhooks to ingress on `port` of loopback."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        await self._session.close()

    async def post(
        self, params: Mapping[str, str], path: str = "/twilio", token: str = TOKEN, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, Mapping[str, str]]:
        """Deliver once; gives status, body and headers. `headers` replace or add to Twilio's own."""
        request = sign(PUBLIC_URL + path, params, token)
        return await self.raw("POST", path, request.body, {**request.headers, **(headers or {})})

    async def raw(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, Mapping[str, str]]:
        """Send any request; gives status, body and headers."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
            return response.status, await response.text(), response.headers

    async def deliver(self, params: Mapping[str, str], path: str = "/twilio") -> int:
        """Deliver until it is acknowledged with a 2xx, as `#rc` and a patient fallback would; gives the number of tries."""
        tries = 0
        while True:
            tries += 1
            try:
                status, _, _ = await self.post(params, path)
            except (aiohttp.ClientError, TimeoutError, OSError):
                status = 0
            if 200 <= status < 300:
                return tries
            if status not in (0, 503):
                raise AssertionError(f"unexpected answer {status}")
            await asyncio.sleep(0.02)
