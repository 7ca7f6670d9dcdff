"""aiohttp's low-level server, with our limits.

There is nothing to route, so requests skip the router, its middlewares and the application.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.web_request import BaseRequest

from ingress import replies
from ingress.metrics import count_request
from shared.logs import Logger

Handle = Callable[[BaseRequest], Awaitable[web.StreamResponse]]


class Connection(web.RequestHandler):
    """One connection. What cannot be parsed is answered with a bare status and counted, never quoted or logged."""

    logger: Logger  # type: ignore[assignment]

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Give the answer to a request that aiohttp could not parse (400), or that we failed at (500)."""
        if status >= 500:  # noqa: PLR2004 - a server error
            self.logger.error("a request failed inside ingress", exc_info=exc)
        count_request("none", status, "malformed" if status < 500 else "failed").inc()  # noqa: PLR2004
        response = replies.refused(status)
        response.force_close()
        return response


class Server(web.Server):
    """Takes requests to `handle`. `max_body` is in bytes; reading a larger body raises."""

    def __init__(self, handle: Handle, max_body: int, logger: Logger) -> None:
        super().__init__(
            handle,
            request_factory=self._make,
            access_log=None,
            auto_decompress=False,  # a compressed body could grow past every limit; Twilio sends none
            logger=logger,
        )
        self._max_body = max_body
        self._running_loop = asyncio.get_running_loop()

    def __call__(self) -> web.RequestHandler:
        """Make the handler of a new connection."""
        return Connection(self, loop=self._running_loop, **self._kwargs)

    def _make(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> BaseRequest:
        loop = self._running_loop
        return BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=self._max_body)
