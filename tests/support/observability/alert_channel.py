"""A receiver for ALERT_URL: a server that accepts POSTs, and responds as a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

from tests.support.servers.ports import LOOPBACK

PLANTED: Final = "T000-planted"
"""The secret in the URL."""
Answer = Callable[[], Awaitable[int]]


class AlertChannel:
    """Accepts POSTs once it is open. Each response set with `will` is used once; after them, every response is 200.

    `bodies` are the accepted bodies, `tries` counts all requests. The system chooses `port` unless it is set before.
    """

    def __init__(self, port: int = 0) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.tries = 0
        self.port = port
        self._answers: list[Answer] = []

    @property
    def url(self) -> str:
        """The ALERT_URL."""
        return f"http://{LOOPBACK}:{self.port}/services/{PLANTED}"

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """All accepted alerts, in order."""
        return [alert for body in self.bodies for alert in body["alerts"]]

    def will(self, *answers: int | Answer) -> None:
        """Set the next responses, each a status code or a coroutine function that returns one."""
        self._answers += [_at_once(answer) if isinstance(answer, int) else answer for answer in answers]

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["AlertChannel"]:
        """Serve within the context."""
        app = web.Application()
        app.router.add_post("/services/{token}", self._take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, self.port).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.tries += 1
        assert request.path.endswith(PLANTED)
        assert request.content_type == "application/json"
        body = await request.json()
        status = await self._answers.pop(0)() if self._answers else 200
        if status == 200:
            self.bodies.append(body)
        return web.Response(status=status, text="ok")


async def hang() -> int:
    """Respond after every timeout."""
    await asyncio.sleep(60)
    return 200


def _at_once(status: int) -> Answer:
    async def give() -> int:
        return status

    return give
