"""The services: processors and their partitions, breakers, pools, and the settings that the console sees, masked."""

from typing import Final

from aiohttp import web

from hookline_cli.config import as_text
from hookline_cli.settings.rows import DEFAULT, Sources, rows
from hookline_cli.settings.running import find_running
from hookline_cli.status.snapshot import owners
from hookline_console.components import COMPONENTS
from hookline_console.page import render
from hookline_shared.partitions import ranges

_LONGEST: Final = 300


async def show(request: web.Request) -> web.Response:
    """Show the services."""
    components = request.app[COMPONENTS]
    found = await components.status.current()
    redis = found.redis if found.redis_problem is None else components.status.known
    settings = list(rows(Sources.now(find_running(components.data).adopted)))
    return render(
        request,
        "services.html",
        found=found,
        processors=[(one, ranges(one.partitions)) for one in owners(redis)],
        free=[number for number, lease in enumerate(redis.leases) if not lease.left_ms],
        settings=[(row, as_text(row.value)[:_LONGEST]) for row in settings if row.source != DEFAULT],
        defaults=sum(row.source == DEFAULT for row in settings),
    )
