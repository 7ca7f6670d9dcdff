"""The script, the styles and the icon: few small files, read once."""

from functools import cache
from hashlib import sha256
from typing import Final

from aiohttp import web

from hookline_console.rendering.templates import FOLDER

FILES: Final = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "htmx.min.js": "text/javascript",
    "htmx-sse.min.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


async def show(request: web.Request) -> web.Response:
    """Return a file. A browser asks again whether it has changed, so that an update needs no other names."""
    name = request.match_info["name"]
    if name not in FILES:
        raise web.HTTPNotFound
    body, tag = _read(name)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=FILES[name], charset="utf-8", headers=headers)


@cache
def _read(name: str) -> tuple[bytes, str]:
    body = (FOLDER / "static" / name).read_bytes()
    return body, f'"{sha256(body).hexdigest()[:32]}"'
