"""The audit log, and the jobs."""

from typing import Final

from aiohttp import web

from hookline_console.components import COMPONENTS
from hookline_console.page import render

_SHOWN: Final = 200


async def show(request: web.Request) -> web.Response:
    """Show who did what, when and why, newest first."""
    return render(request, "audit.html", records=await request.app[COMPONENTS].audit.newest(_SHOWN))
