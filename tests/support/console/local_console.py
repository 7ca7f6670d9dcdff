"""A console in this process, and browsers of people with different roles."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientResponse, CookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from hookline_cli.settings.console import ConsoleSettings
from hookline_cli.status.collector import CollectorSettings
from hookline_console.access.people import Person, Role
from hookline_console.app import Console, Where, build_console
from hookline_console.components import COMPONENTS, Components
from hookline_shared.clock import SystemClock
from tests.support.observability.logbook import Logbook

VIEWER: Final = frozenset({Role.VIEWER})
OPERATOR: Final = frozenset({Role.VIEWER, Role.OPERATOR})
REVEALER: Final = frozenset(Role)
_TOKEN: Final = re.compile(r'<input type="hidden" name="token" value="([^"]*)">')


class Form:
    """A form in a page: where it goes, and its fields with their values."""

    def __init__(self, action: str) -> None:
        self.action = action
        self.fields: dict[str, str] = {}


class _Forms(HTMLParser):
    """Finds the forms that are posted."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "form":
            self._open = named.get("method") == "post"
            self.found += [Form(named.get("action") or "")] if self._open else []
        elif self._open and tag in ("input", "select") and named.get("name"):
            self.found[-1].fields[str(named["name"])] = named.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "form"


class Browser:
    """A client with cookies of its own."""

    def __init__(self, client: "TestClient[web.Request, web.Application]") -> None:
        self.client = client

    async def get(self, path: str, **named: Any) -> ClientResponse:
        """Ask for a page, without following redirects."""
        return await self.client.get(path, allow_redirects=False, **named)

    async def text(self, path: str) -> str:
        """Return the text of a page that must be there."""
        answer = await self.client.get(path)
        text = await answer.text()
        assert answer.status == 200, f"{path}: {answer.status} {text}"
        return text

    async def forms(self, path: str) -> list[Form]:
        """Return the forms in a page, but the one that signs out."""
        return [form for form in _Forms(await self.text(path)).found if form.action != "/sign-out"]

    async def post(self, path: str, page: str = "/", **fields: str) -> ClientResponse:
        """Send a form with the token of `page`, without following redirects."""
        return await self.send(path, {"token": await self.token(page), **fields})

    async def token(self, page: str = "/") -> str:
        """Return the token in the forms of `page`."""
        found = _TOKEN.search(await (await self.client.get(page)).text())
        return str(found[1]) if found else ""

    async def send(self, path: str, fields: dict[str, str], **named: Any) -> ClientResponse:
        """Send a form as it is, without following redirects."""
        return await self.client.post(path, data=fields, allow_redirects=False, **named)


class LocalConsole:
    """A console that runs, and the `lines` that it has printed."""

    def __init__(self, console: Console, lines: list[str], server: TestServer) -> None:
        self.console = console
        self.lines = lines
        self._server = server
        self._clients: list[TestClient[web.Request, web.Application]] = []

    @property
    def components(self) -> Components:
        """Its components."""
        return self.console.app[COMPONENTS]

    async def browser(self) -> Browser:
        """Return a browser that has not signed in."""
        client = TestClient(self._server, cookie_jar=CookieJar(unsafe=True))
        self._clients.append(client)
        return Browser(client)

    async def signed_in(self, roles: Iterable[Role] = VIEWER, name: str = "ada") -> Browser:
        """Return the browser of somebody who has signed in."""
        browser = await self.browser()
        session_id = self.components.sign_in.sessions.open(Person(name, frozenset(roles)))
        browser.client.session.cookie_jar.update_cookies({"hookline_console": session_id}, self._server.make_url("/"))
        return browser

    @property
    def link(self) -> str:
        """The path of the newest link in the terminal."""
        return str(re.findall(r"http://[^/]+(/enter\S+)", self.lines[-1])[-1])

    async def close(self) -> None:
        """Close the browsers."""
        for client in self._clients:
            await client.close()


@asynccontextmanager
async def running_console(redis_url: str, folder: Path, **variables: str) -> AsyncIterator[LocalConsole]:
    """Yield a console on the Redis at `redis_url`, with these variables, without the services."""
    named = {"REDIS_URL": redis_url, "CONSOLE_PORT": "0"} | variables
    lines: list[str] = []
    console = build_console(
        ConsoleSettings.load(named),
        CollectorSettings.load(named),
        Where(folder, [], "somebody@here"),
        SystemClock(),
        Logbook().logger,
        lines.append,
    )
    server = TestServer(console.app)
    await server.start_server()
    components = console.app[COMPONENTS]
    components.origins.set_port(server.port or 0)
    components.status.interval_s = 0.02
    components.sign_in.print_link(components.origins.base)
    local = LocalConsole(console, lines, server)
    try:
        yield local
    finally:
        await local.close()
        await server.close()
        await components.jobs.close()
        await components.redis.close()
        await components.ledger.close()
        await console.collector.__aexit__(None, None, None)
