"""An app as Twilio's tutorials show it: it validates signatures with Twilio's own validator, and answers with TwiML."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web
from multidict import CIMultiDictProxy
from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse

TOKEN: Final = "5" * 32
_COUNT: Final = "count"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class SampleApp:
    """`bodies` are the texts of the messages that it has accepted, `answer` what it does instead of its own answer."""

    port: int = 0
    token: str = TOKEN
    bodies: list[str] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    refused: int = 0
    answer: Answer | None = None
    runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The URL of its webhook."""
        return f"http://127.0.0.1:{self.port}/sms"

    @property
    def headers(self) -> "CIMultiDictProxy[str]":
        """Those of the latest request."""
        return self.requests[-1].headers

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any request: 403 if its signature is wrong."""
        self.requests.append(request)
        form = await request.post()
        signature = request.headers.get("X-Twilio-Signature", "")
        if not RequestValidator(self.token).validate(str(request.url), form, signature):
            self.refused += 1
            return web.Response(status=403)
        if self.answer is not None:
            return await self.answer(request)
        self.bodies.append(str(form.get("Body", "")))
        return self._reply(request, str(form.get("Body", "")))

    async def start(self) -> None:
        """Listen, on the same port as before."""
        app = web.Application()
        app.add_routes([web.route("*", "/{path:.*}", self.handle)])
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        if self.runner is not None:
            await self.runner.cleanup()

    def _reply(self, request: web.Request, body: str) -> web.Response:
        """Answer as the tutorial on cookies does: with the number of messages so far."""
        count = int(request.cookies.get(_COUNT, "0")) + 1
        twiml = MessagingResponse()
        twiml.message(f"{count}: {body}")
        response = web.Response(text=str(twiml), content_type="text/xml")
        response.set_cookie(_COUNT, str(count))
        return response


def answering(status: int = 200, body: str | bytes = b"", content_type: str = "text/html", **headers: str) -> Answer:
    """Return an answer that is always the same."""
    raw = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()} | {"Content-Type": content_type}

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=raw, headers=named)

    return answer


async def cutting(request: web.Request) -> web.StreamResponse:
    """Send half an answer."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "text/xml"})
    await response.prepare(request)
    await response.write(b"<Response><Message>ha")
    await asyncio.sleep(0)
    if request.transport is not None:
        request.transport.close()
    return response


async def silent(_request: web.Request) -> web.StreamResponse:
    """Answer nothing for a long time."""
    await asyncio.sleep(20)
    return web.Response()


@asynccontextmanager
async def sample_app() -> AsyncIterator[SampleApp]:
    """Yield an app that runs."""
    app = SampleApp()
    await app.start()
    yield app
    await app.stop()
