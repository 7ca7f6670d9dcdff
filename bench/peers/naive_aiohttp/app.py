"""Verify with Twilio's library, append to a stream, answer. `python -m bench.peers.naive_aiohttp.app PORT`."""

import os
import sys
from typing import Final

import uvloop
from aiohttp import web
from redis.asyncio import Redis
from twilio.request_validator import RequestValidator

from bench.peers.receiver import PUBLIC_URL, STREAM, TARGET, TOKEN

_REDIS: Final = Redis.from_url(os.environ["REDIS_URL"])
_VALIDATOR: Final = RequestValidator(TOKEN)


async def accept(request: web.Request) -> web.Response:
    """Take a webhook."""
    form = {name: str(value) for name, value in (await request.post()).items()}
    if not _VALIDATOR.validate(PUBLIC_URL + request.path_qs, form, request.headers.get("X-Twilio-Signature", "")):
        return web.Response(status=403)
    await _REDIS.xadd(STREAM, form)  # type: ignore[arg-type]
    return web.Response(text="<Response/>", content_type="text/xml")


def main() -> None:
    """Serve on loopback until a signal."""
    app = web.Application()
    app.router.add_post(TARGET, accept)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main()
