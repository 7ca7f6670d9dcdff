"""Verify with Twilio's library, append to a stream, answer. `uvicorn bench.peers.fastapi.app:app --no-access-log ...`.

uvloop, httptools and hiredis are installed, which each of the three uses by itself (https://www.uvicorn.org/#quickstart,
https://redis.readthedocs.io/en/stable/).
"""

import os
from typing import Final

from fastapi import FastAPI, Request, Response
from redis.asyncio import Redis
from twilio.request_validator import RequestValidator

from bench.peers.receiver import PUBLIC_URL, STREAM, TARGET, TOKEN

_REDIS: Final = Redis.from_url(os.environ["REDIS_URL"])
_VALIDATOR: Final = RequestValidator(TOKEN)

app = FastAPI()


@app.post(TARGET)
async def accept(request: Request) -> Response:
    """Take a webhook."""
    form = {name: str(value) for name, value in (await request.form()).items()}
    if not _VALIDATOR.validate(PUBLIC_URL + request.url.path, form, request.headers.get("X-Twilio-Signature", "")):
        return Response(status_code=403)
    await _REDIS.xadd(STREAM, form)  # type: ignore[arg-type]
    return Response("<Response/>", media_type="text/xml")
