"""The first page: whether all is well, problems first, each with its remedy. It is live."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from hookline_cli.status.issues import issues
from hookline_cli.status.snapshot import Snapshot, owners
from hookline_console.components import COMPONENTS
from hookline_console.live.history import History
from hookline_console.page import html, render, session_of
from hookline_console.rendering.charts import HEIGHT, SPAN_MS, WIDTH, charts
from hookline_shared.errors import BrokerUnavailableError

_PAGES: Final = {
    "dead letters:": ("Dead letters", "/dead"),
    "dead_letters": ("Dead letters", "/dead"),
    "pauses:": ("Waiting", "/waiting"),
    "retr": ("Waiting", "/waiting"),
    "outbox": ("Outbox", "/outbox"),
    "message": ("Outbox", "/outbox"),
    "breaker": ("Services", "/services"),
    "partition": ("Services", "/services"),
    "rocessor": ("Services", "/services"),
}
"""Words of an issue, and the page that shows more about it; the first that fits counts."""


async def show(request: web.Request) -> web.Response:
    """Show the overview."""
    return render(request, "overview.html", **_values(request, await request.app[COMPONENTS].status.current()))


async def stream(request: web.Request) -> web.StreamResponse:
    """Send the overview whenever it changes, as server-sent events, until the session ends."""
    components = request.app[COMPONENTS]
    if components.status.is_full:
        return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "10"})
    answer = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await answer.prepare(request)
    with suppress(ConnectionError, asyncio.CancelledError):
        async with aclosing(components.status.watch()) as snapshots:
            await _send(request, answer, snapshots)
    return answer


async def _send(request: web.Request, answer: web.StreamResponse, snapshots: AsyncIterator[Snapshot]) -> None:
    """Send each snapshot, until the session ends. What has not changed is not sent again: people may be reading it."""
    sessions, session, sent = request.app[COMPONENTS].sign_in.sessions, session_of(request), ""
    async for found in snapshots:
        if not sessions.lives(session):
            await answer.write(_event("ended", "."))
            return
        values = _values(request, found)
        status = html(request, "fragments/status.html", **values)
        await answer.write(_event("time", html(request, "fragments/as_of.html", **values)))
        if status != sent:
            await answer.write(_event("status", status))
        sent = status


async def chart(request: web.Request) -> web.Response:
    """Show the charts alone, which are asked for every ten seconds."""
    components = request.app[COMPONENTS]
    now_ms = components.clock.now_ms()
    try:
        points, problem = await History(components.redis.redis).since(now_ms - SPAN_MS), ""
    except BrokerUnavailableError as error:
        points, problem = [], str(error)
    found = charts(points, now_ms) if points else []
    return render(request, "fragments/charts.html", charts=found, problem=problem, width=WIDTH, height=HEIGHT)


def _values(request: web.Request, found: Snapshot) -> dict[str, Any]:
    """Return what the template shows. If Redis does not answer, it is what was known before, and since when."""
    status = request.app[COMPONENTS].status
    known = found.redis if found.redis_problem is None else status.known
    return {
        "found": found,
        "redis": known,
        "known_at_ms": found.at_ms if found.redis_problem is None else status.known_at_ms,
        "issues": [(one, _page_for(one.found)) for one in issues(found)],
        "owners": owners(known),
    }


def _page_for(found: str) -> tuple[str, str] | None:
    """Return name and address of the page that shows more about an issue, None if none does."""
    return next((page for words, page in _PAGES.items() if words in found), None)


def _event(name: str, text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines() if line.strip())
    return f"event: {name}\n{lines}\n".encode()
