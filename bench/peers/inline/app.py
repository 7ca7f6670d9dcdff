"""Verify, work, answer. `python -m bench.peers.inline.app PORT`, in Hookline's own environment.

The work is that of `bench.peers.work`, 10 to 50 ms, and a write to Redis with redis-py as it comes.
"""

import os
import sys
from typing import Final

import uvloop
from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError
from twilio.request_validator import RequestValidator

from bench.peers import work
from bench.peers.receiver import PUBLIC_URL, TARGET, TOKEN

_REDIS: Final = Redis.from_url(os.environ["REDIS_URL"])
_VALIDATOR: Final = RequestValidator(TOKEN)


async def accept(request: web.Request) -> web.Response:
    """Do what the webhook asks for."""
    form = {name: str(value) for name, value in (await request.post()).items()}
    if not _VALIDATOR.validate(PUBLIC_URL + request.path_qs, form, request.headers.get("X-Twilio-Signature", "")):
        return web.Response(status=403)
    try:
        await _REDIS.incr(f"messages:{form['From']}")
    except (RedisError, OSError):
        return web.Response(status=500)
    await work.run(int(form["MessageSid"][-8:], base=16))
    return web.Response(text="<Response/>", content_type="text/xml")


def main() -> None:
    """Serve on loopback until a signal."""
    app = web.Application()
    app.router.add_post(TARGET, accept)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main()
