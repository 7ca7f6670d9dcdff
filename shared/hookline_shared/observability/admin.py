"""The admin port: /livez, /readyz, /startupz in Kubernetes' style, /metrics for Prometheus, and JSON pages of the service."""

from collections.abc import Awaitable, Callable, Mapping
from hmac import compare_digest
from ipaddress import ip_address
from typing import Final

from aiohttp import web
from prometheus_client import disable_created_metrics

from hookline_shared.observability.health import Check, Health, Warnings
from hookline_shared.system.listening import listen

Page = Callable[[], Mapping[str, object] | str]
"""Returns the content for JSON, or one line that says why it is unavailable. Must not block."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PRIVATE_DOMAINS: Final = (".localhost", ".local", ".internal", ".svc", ".svc.cluster.local", ".home.arpa", ".lan")
_PROBES: Final = ("/livez", "/readyz", "/startupz")
_UNAUTHORIZED: Final = "Send the header Authorization: Bearer with the ADMIN_TOKEN of this service.\n"
_NO_WARNINGS: Final[Mapping[str, Warnings]] = {}
_NO_PAGES: Final[Mapping[str, Page]] = {}


def is_private_name(host: str, own: str = "") -> bool:
    """Whether nobody else can own the name in `host`, a Host header: an address, `own`, or a name of no public domain."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]").rstrip(".").lower()
    return _is_address(name) or name == own.lower() or "." not in name or name.endswith(_PRIVATE_DOMAINS)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class Admin:
    """Serves the health checks, the metrics and the `pages`, by path, of one service on `host`:`port`. `setting` is the prefix
    of its settings.

    With a `token`, only who sends it gets more than the verdict of a health check.
    """

    def __init__(
        self,
        health: Health,
        host: str,
        port: int,
        setting: str,
        pages: Mapping[str, Page] = _NO_PAGES,
        token: str | None = None,
    ) -> None:
        disable_created_metrics()  # they double the page and are not used
        self._health = health
        self._address = (host, port)
        self._setting = setting
        self._pages = pages
        self._authorization = f"bearer {token}".encode() if token else b""
        self._runner = web.AppRunner(self._application(), access_log=None, handle_signals=False)

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._check_host, self._check_token])
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/startupz", self._startupz)
        app.router.add_get("/metrics", _metrics)
        for path, page in self._pages.items():
            app.router.add_get(path, _page_handler(page))
        return app

    @web.middleware
    async def _check_host(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse a request to a public name: a browser sends one if a page has its name mean this address (DNS rebinding)."""
        if request.host and not is_private_name(request.host, self._address[0]):
            return web.Response(text=f"{request.host} is no name of this service.\n", status=421)
        return await handler(request)

    @web.middleware
    async def _check_token(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse a request for anything but the verdict of a health check, unless it has the token."""
        is_probe = request.path in _PROBES and "verbose" not in request.query
        if is_probe or self._shows_details(request):
            return await handler(request)
        return web.Response(text=_UNAUTHORIZED, status=401, headers={"WWW-Authenticate": "Bearer"})

    def _shows_details(self, request: web.Request) -> bool:
        """Whether there is no token, or the request has it."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        sent = f"{scheme.lower()} {token.strip()}".encode(errors="replace")
        return not self._authorization or compare_digest(sent, self._authorization)

    async def start(self) -> int:
        """Start listening; return the port.

        Raises:
            PortTakenError: if another program listens there.
            AddressError: if this machine cannot listen there.

        """
        await self._runner.setup()
        return await listen(self._runner, *self._address, setting=self._setting)

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _livez(self, request: web.Request) -> web.Response:
        return self._report("livez", self._health.live, request)

    async def _readyz(self, request: web.Request) -> web.Response:
        return self._report("readyz", self._health.ready, request, self._health.warnings)

    async def _startupz(self, request: web.Request) -> web.Response:
        return self._report("startupz", {"started": self._health.startup}, request)

    def _report(
        self, probe: str, checks: dict[str, Check], request: web.Request, warnings: Mapping[str, Warnings] = _NO_WARNINGS
    ) -> web.Response:
        results = {name: check() for name, check in checks.items()}
        failed = any(problem is not None for problem in results.values())
        verdict = f"{probe} check {'failed' if failed else 'passed'}"
        lines = [f"[-]{name} failed: {problem}" if problem else f"[+]{name} ok" for name, problem in results.items()]
        lines += [f"[!]{name} warning: {warning}" for name, warn in warnings.items() for warning in warn()]
        details = lines if self._shows_details(request) else []
        text = "\n".join([*details, verdict]) if failed or "verbose" in request.query else "ok"
        return web.Response(text=f"{text}\n", status=503 if failed else 200)


async def _metrics(request: web.Request) -> web.Response:
    from prometheus_async.aio.web import server_stats  # noqa: PLC0415 - it imports wrapt, which no start needs

    return await server_stats(request)


def _page_handler(page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def show(_: web.Request) -> web.Response:
        found = page()
        return web.json_response({"error": found}, status=503) if isinstance(found, str) else web.json_response(found)

    return show
