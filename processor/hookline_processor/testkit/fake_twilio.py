"""A Twilio on this machine that has Messages and media: a real HTTP server, with the faults of networks and of Twilio."""

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from secrets import token_hex
from threading import Event, Thread
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from hookline_processor.testkit.fake_media import FakeMedia
from hookline_processor.testkit.faults import Chooser, Fault, none

ACCOUNT: Final = "AC" + "1" * 32
SECRET: Final = "secret"  # noqa: S105 - it guards nothing
_SLOW_S: Final = 3.0
_START_S: Final = 10.0


class FakeTwilio:
    """A Twilio that runs for the time of a `with` block in a thread of its own, or of an `async with` block in this event loop.

    - `url`: the base of its API, for TWILIO_API_URL; `environment` has the other settings as well.
    - `messages`: the messages that it has accepted, in order, with Twilio's names, such as "to", "from" and "body".
    - `requests`, `lists`: how many requests to send and to list messages it got.
    - `choose`: a function of the form of a request that returns the `Fault` that happens to it.
    - `lists_work`: a bool, whether requests for the list are answered.
    - `delay_s`: seconds until it answers a request to send.
    - `passwords`: the auth tokens, or secrets of API keys, that it takes.
    """

    account = ACCOUNT
    """The SID of the account."""

    def __init__(self) -> None:
        self.url = ""
        self.messages: list[dict[str, Any]] = []
        self._by_recipient: dict[str, list[dict[str, Any]]] = {}
        self.requests = 0
        self.lists = 0
        self.choose: Chooser = none
        self.lists_work = True
        self.delay_s = 0.0
        self.passwords: tuple[str, ...] = (SECRET,)
        self.media = FakeMedia(self._authorised)
        self._refusal: tuple[int, Mapping[str, Any], Mapping[str, str]] | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._runner: web.AppRunner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    @property
    def bodies(self) -> list[str]:
        """The texts of the messages, in order."""
        return [one["body"] for one in self.messages]

    @property
    def environment(self) -> dict[str, str]:
        """The settings with which a processor sends to it."""
        return {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_API_SECRET": self.passwords[0], "TWILIO_API_URL": self.url}

    def add_media(self, content: bytes, content_type: str = "image/jpeg", *, not_ready: int = 0) -> str:
        """Have an attachment, and return its URL. The first `not_ready` requests for it are answered with 404."""
        return self.media.add(content, content_type, not_ready=not_ready)

    def refuse(self, status: int, code: int = 0, message: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Answer all requests to send with `status`, and Twilio's error `code` and `message`. `accept` ends that."""
        self._refusal = status, {"code": code, "message": message, "status": status}, headers or {}

    def accept(self) -> None:
        """Accept messages again."""
        self._refusal = None

    def forget(self) -> None:
        """Forget all messages, as if it had got none."""
        self.messages.clear()
        self._by_recipient.clear()

    def hold(self) -> None:
        """Answer no request to send until `release`: messages are accepted, and their senders wait."""
        self._call(self._open.clear)

    def release(self) -> None:
        """Answer the requests that wait, and all later ones."""
        self._call(self._open.set)

    async def start(self) -> None:
        """Start in this event loop."""
        app = web.Application()
        account = "/2010-04-01/Accounts/{account}"
        app.add_routes(
            [
                web.post(f"{account}/Messages.json", self._send),
                web.get(f"{account}/Messages.json", self._list),
                web.get(f"{account}.json", self._describe),
                *self.media.routes(account),
            ]
        )
        self._loop = asyncio.get_running_loop()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        await self.media.start(self.url)

    async def stop(self) -> None:
        """Stop."""
        await self.media.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        started = Event()
        loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, args=(loop, started), name="fake twilio", daemon=True)
        self._thread.start()
        if not started.wait(_START_S):
            raise RuntimeError("the fake Twilio did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self.stop(), loop).result(_START_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_START_S)

    def _run(self, loop: asyncio.AbstractEventLoop, started: Event) -> None:
        loop.run_until_complete(self.start())
        started.set()
        loop.run_forever()
        loop.close()

    def _call(self, function: Any) -> None:
        if self._thread is None or self._loop is None:
            function()
        else:
            self._loop.call_soon_threadsafe(function)

    async def _send(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.requests += 1
        if not self._authorised(request):
            return _refused()
        if self._refusal is not None:
            status, body, headers = self._refusal
            return web.json_response(body, status=status, headers=headers)
        fault = self.choose(form)
        if fault is Fault.LOST_REQUEST:
            return _cut(request)
        if fault is Fault.SERVER_ERROR:
            return web.json_response({"message": "Internal", "code": 20500, "status": 500}, status=500)
        message = _message(request.match_info["account"], form)
        self.messages.append(message)
        self._by_recipient.setdefault(message["to"], []).append(message)
        await self._open.wait()
        return await self._answer(request, fault, message)

    async def _answer(self, request: web.Request, fault: Fault, message: dict[str, Any]) -> web.StreamResponse:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if fault is Fault.LOST_ANSWER:
            return _cut(request)
        if fault is Fault.SLOW:
            await asyncio.sleep(_SLOW_S)
        if fault is Fault.ACCEPTED_WITH_503:
            return web.json_response({"message": "Unavailable", "code": 20503, "status": 503}, status=503)
        return web.json_response({} if fault is Fault.NO_SID else message, status=201)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.lists += 1
        if not self.lists_work:
            return _cut(request)
        if not self._authorised(request):
            return _refused()
        to, sender, page = request.query.get("To"), request.query.get("From"), int(request.query.get("Page", "0"))
        to_them = self._by_recipient.get(to or "", ())
        found = [one for one in reversed(to_them) if not sender or one["from"] == sender]
        size = int(request.query.get("PageSize", "50"))
        rest = len(found) > (page + 1) * size
        query = f"To={to}&From={sender or ''}&PageSize={size}&Page={page + 1}".replace("+", "%2B")
        listed = found[page * size : (page + 1) * size]
        return web.json_response({"messages": listed, "next_page_uri": f"{request.path}?{query}" if rest else None})

    async def _describe(self, request: web.Request) -> web.StreamResponse:
        if not self._authorised(request):
            return _refused()
        return web.json_response({"sid": request.match_info["account"], "status": "active", "type": "Full"})

    def _authorised(self, request: web.Request) -> bool:
        words = b64decode(request.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        return words.partition(":")[2] in self.passwords


def _message(account: str, form: Mapping[str, str]) -> dict[str, Any]:
    return {
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


def _refused() -> web.StreamResponse:
    return web.json_response({"code": 20003, "message": "Authenticate", "status": 401}, status=401)


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
