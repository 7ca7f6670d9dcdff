"""The audit log, and the jobs."""

from typing import Final

from aiohttp import web

from hookline_console.page import render
from hookline_console.parts import PARTS

_SHOWN: Final = 200


async def show(request: web.Request) -> web.Response:
    """Show who did what, when and why, newest first."""
    return render(request, "audit.html", records=await request.app[PARTS].audit.newest(_SHOWN))
