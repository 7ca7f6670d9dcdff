"""A Twilio that has Messages: a real HTTP server, with the faults of networks and of Twilio."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import Enum
from random import Random
from secrets import token_hex
from typing import Any, Final

from aiohttp import web

ACCOUNT: Final = "AC" + "1" * 32


class Fault(Enum):
    """What happens to a request to send."""

    NONE = "none"
    LOST_ANSWER = "accepted, and then the connection is cut"
    LOST_REQUEST = "cut before it was accepted"
    SERVER_ERROR = "500, and not accepted"
    ACCEPTED_WITH_503 = "503, and accepted all the same"
    NO_SID = "accepted, and the answer has no SID"
    SLOW = "accepted, and answered after the time-out of the client"


Chooser = Callable[[dict[str, str]], Fault]


@dataclass
class FakeTwilio:
    """`messages` are those that it has accepted, with Twilio's names. `url` is for TWILIO_API_URL."""

    url: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    lists: int = 0
    choose: Chooser = lambda _form: Fault.NONE
    refusal: tuple[int, dict[str, Any], dict[str, str]] | None = None
    """Status, body and headers of the answer to every request to send, if it refuses all."""
    lists_work: bool = True
    delay_s: float = 0.0
    passwords: tuple[str, ...] = ("secret",)
    received: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Requests wait for it after they were accepted."""

    def __post_init__(self) -> None:
        self.open.set()

    @property
    def bodies(self) -> list[str]:
        """The texts that were sent, in order."""
        return [one["body"] for one in self.messages]

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Answer a request to send."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.requests += 1
        if not self._authorised(request):
            return web.json_response({"code": 20003, "message": "Authenticate", "status": 401}, status=401)
        if self.refusal is not None:
            status, body, headers = self.refusal
            return web.json_response(body, status=status, headers=headers)
        fault = self.choose(form)
        if fault is Fault.LOST_REQUEST:
            return _cut(request)
        if fault is Fault.SERVER_ERROR:
            return web.json_response({"message": "Internal", "code": 20500, "status": 500}, status=500)
        message = self._accept(request.match_info["account"], form)
        self.received.set()
        await self.open.wait()
        return await self._answer(request, fault, message)

    async def listed(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for the list."""
        self.lists += 1
        if not self.lists_work:
            return _cut(request)
        to, sender, page = request.query.get("To"), request.query.get("From"), int(request.query.get("Page", "0"))
        found = [one for one in reversed(self.messages) if one["to"] == to and (not sender or one["from"] == sender)]
        size = int(request.query.get("PageSize", "50"))
        rest = len(found) > (page + 1) * size
        query = f"To={to}&From={sender or ''}&PageSize={size}&Page={page + 1}".replace("+", "%2B")
        return web.json_response(
            {"messages": found[page * size : (page + 1) * size], "next_page_uri": f"{request.path}?{query}" if rest else None}
        )

    async def _answer(self, request: web.Request, fault: Fault, message: dict[str, Any]) -> web.StreamResponse:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if fault is Fault.LOST_ANSWER:
            return _cut(request)
        if fault is Fault.SLOW:
            await asyncio.sleep(3)
        if fault is Fault.ACCEPTED_WITH_503:
            return web.json_response({"message": "Unavailable", "code": 20503, "status": 503}, status=503)
        return web.json_response({} if fault is Fault.NO_SID else message, status=201)

    def _accept(self, account: str, form: dict[str, str]) -> dict[str, Any]:
        message = {
            "sid": f"SM{token_hex(16)}",
            "account_sid": account,
            "direction": "outbound-api",
            "to": form["To"],
            "from": form.get("From"),
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "body": form.get("Body", ""),
            "num_media": "1" if "MediaUrl" in form else "0",
            "status": "queued",
            "status_callback": form.get("StatusCallback"),
            "date_created": format_datetime(datetime.now(UTC)),
        }
        self.messages.append(message)
        return message

    def _authorised(self, request: web.Request) -> bool:
        username_and_password = b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        return username_and_password.partition(":")[2] in self.passwords


def losing(share: float, fault: Fault, seed: int = 1) -> Chooser:
    """Return a chooser of `fault` for a share of all requests."""
    random = Random(seed)
    return lambda _form: fault if random.random() < share else Fault.NONE


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@asynccontextmanager
async def fake_twilio() -> AsyncIterator[FakeTwilio]:
    """Yield a Twilio that runs."""
    twilio = FakeTwilio()
    app = web.Application()
    path = "/2010-04-01/Accounts/{account}/Messages.json"
    app.add_routes([web.post(path, twilio.send), web.get(path, twilio.listed)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    twilio.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield twilio
    await runner.cleanup()
