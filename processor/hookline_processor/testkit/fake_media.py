"""The media of a fake Twilio. As Twilio does, it redirects to another server, which needs no credentials."""

from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final

from aiohttp import web

_ACCOUNT: Final = "AC" + "1" * 32


@dataclass
class _Attachment:
    content: bytes
    content_type: str
    not_ready: int


@dataclass
class FakeMedia:
    """`requests` has, for each request, whether it came to the other server, and whether it had credentials.

    `authorised` tells whether those of a request are right.
    """

    authorised: Callable[[web.Request], bool]
    requests: list[tuple[bool, bool]] = field(default_factory=list)
    redirect_to: str = ""
    """Where all requests are redirected instead, if it is not empty."""
    _attachments: dict[str, _Attachment] = field(default_factory=dict)
    _url: str = ""
    _delivery_url: str = ""
    _runner: web.AppRunner | None = None

    def add(self, content: bytes, content_type: str, *, not_ready: int) -> str:
        """Have an attachment, and return its URL."""
        name = f"ME{token_hex(16)}"
        self._attachments[name] = _Attachment(content, content_type, not_ready)
        return f"{self._url}/2010-04-01/Accounts/{_ACCOUNT}/Messages/MM{token_hex(16)}/Media/{name}"

    def routes(self, account: str) -> list[web.RouteDef]:
        """Return the routes of the API, below the path `account`."""
        return [web.get(f"{account}/Messages/{{message}}/Media/{{name}}", self._redirect)]

    async def start(self, url: str) -> None:
        """Start the other server. `url` is that of the API."""
        self._url = url
        app = web.Application()
        app.add_routes([web.get("/{name}", self._deliver)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._delivery_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop it."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _redirect(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((False, "Authorization" in request.headers))
        if not self.authorised(request):
            return web.json_response({"code": 20003, "message": "Authenticate", "status": 401}, status=401)
        attachment = self._attachments.get(request.match_info["name"])
        if attachment is None or attachment.not_ready > 0:
            if attachment is not None:
                attachment.not_ready -= 1
            return web.json_response({"code": 20404, "message": "Not found", "status": 404}, status=404)
        location = self.redirect_to or f"{self._delivery_url}/{request.match_info['name']}"
        return web.Response(status=302, headers={"Location": location})

    async def _deliver(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((True, "Authorization" in request.headers))
        attachment = self._attachments[request.match_info["name"]]
        return web.Response(body=attachment.content, content_type=attachment.content_type)
