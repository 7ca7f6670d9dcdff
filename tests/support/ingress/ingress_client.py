"""Sending webhooks to an ingress, exactly as given."""

import asyncio
from collections.abc import AsyncIterable, Mapping
from typing import NamedTuple

import aiohttp
from yarl import URL

from tests.support.inbound.webhooks import Webhook
from tests.support.servers.ports import LOOPBACK


class Reply(NamedTuple):
    """An answer. `content_type` is the header as sent, or empty."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]


class IngressClient:
    """Talks to the ingress on loopback port `port`. The owner of `session` closes it."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._port = port

    async def post(self, webhook: Webhook) -> Reply:
        """Deliver `webhook`, by its own method."""
        return await self.request(webhook.method, webhook.target, webhook.headers, webhook.body)

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | AsyncIterable[bytes] | None = None
    ) -> Reply:
        """Make a request. A body in pieces is sent chunked, without a Content-Length. `target` is not encoded again."""
        url = URL(f"http://{LOOPBACK}:{self._port}{target}", encoded=True)
        async with self._session.request(method, url, headers=headers, data=body, allow_redirects=False) as answer:
            content_type = answer.headers.get("Content-Type", "")
            return Reply(answer.status, content_type, await answer.read(), dict(answer.headers))


def raw_request(webhook: Webhook, port: int) -> bytes:
    """Return the bytes of `webhook` on the wire, for targets and headers that a client library would correct."""
    lines = [
        f"POST {webhook.target} HTTP/1.1",
        f"Host: {LOOPBACK}:{port}",
        f"Content-Length: {len(webhook.body)}",
        *(f"{name}: {value}" for name, value in webhook.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode(errors="surrogateescape") + webhook.body


async def raw_exchange(port: int, request: bytes) -> bytes:
    """Send `request` on a connection of its own; return the head of the answer."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
        await writer.wait_closed()
