"""The first page: whether all is well, problems first, each with its remedy. It is live."""

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from aiohttp import web

from hookline_cli.status.issues import issues
from hookline_cli.status.snapshot import Snapshot, owners
from hookline_console.live.history import History
from hookline_console.page import html, render, session_of
from hookline_console.parts import PARTS
from hookline_console.rendering.charts import HEIGHT, SPAN_MS, WIDTH, charts
from hookline_shared.errors import BrokerUnavailableError


async def show(request: web.Request) -> web.Response:
    """Show the overview."""
    return render(request, "overview.html", **_values(request, await request.app[PARTS].status.current()))


async def stream(request: web.Request) -> web.StreamResponse:
    """Send the overview whenever it changes, as server-sent events, until the session ends."""
    parts, session = request.app[PARTS], session_of(request)
    if parts.status.is_full:
        return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "10"})
    answer = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await answer.prepare(request)
    with suppress(ConnectionError, asyncio.CancelledError):
        async for found in parts.status.watch():
            if not parts.sign_in.sessions.lives(session):
                await answer.write(b"event: ended\ndata: .\n\n")
                break
            await answer.write(_event("status", html(request, "fragments/status.html", **_values(request, found))))
    return answer


async def chart(request: web.Request) -> web.Response:
    """Show the charts alone, which are asked for every ten seconds."""
    parts = request.app[PARTS]
    now_ms = parts.clock.now_ms()
    try:
        points, problem = await History(parts.redis.redis).since(now_ms - SPAN_MS), ""
    except BrokerUnavailableError as error:
        points, problem = [], str(error)
    found = charts(points, now_ms) if points else []
    return render(request, "fragments/charts.html", charts=found, problem=problem, width=WIDTH, height=HEIGHT)


def _values(request: web.Request, found: Snapshot) -> dict[str, Any]:
    """Return what the template shows. If Redis does not answer, it is what was known before, and since when."""
    status = request.app[PARTS].status
    known = found.redis if found.redis_problem is None else status.known
    return {
        "found": found,
        "redis": known,
        "known_at_ms": found.at_ms if found.redis_problem is None else status.known_at_ms,
        "issues": issues(found),
        "owners": owners(known),
    }


def _event(name: str, text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines() if line.strip())
    return f"event: {name}\n{lines}\n".encode()
