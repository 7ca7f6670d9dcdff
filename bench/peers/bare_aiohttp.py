"""The minimum that aiohttp can do with a webhook: read the body, answer 204. `python -m bench.peers.bare_aiohttp PORT PATH`."""

import sys

import uvloop
from aiohttp import web


async def accept(request: web.Request) -> web.Response:
    """Read the webhook and discard it."""
    await request.read()
    return web.Response(status=204)


def main() -> None:
    """Serve on loopback until a signal."""
    port, path = sys.argv[1:]
    app = web.Application()
    app.router.add_post(path, accept)
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main()
