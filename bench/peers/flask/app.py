"""Verify with Twilio's library, append to a stream, answer. `gunicorn --worker-class gthread ... bench.peers.flask.app:app`.

Threads, since the work waits for Redis (https://docs.gunicorn.org/en/stable/design.html#choosing-a-worker-type), which also
keep connections alive; one worker process for the one core, since the three with which its pages begin were slower there.
"""

import os
from typing import Final

from flask import Flask, Response, request
from redis import Redis
from twilio.request_validator import RequestValidator

from bench.peers.receiver import PUBLIC_URL, STREAM, TARGET, TOKEN

_REDIS: Final = Redis.from_url(os.environ["REDIS_URL"])
_VALIDATOR: Final = RequestValidator(TOKEN)

app = Flask(__name__)


@app.post(TARGET)
def accept() -> Response:
    """Take a webhook."""
    form = request.form.to_dict()
    if not _VALIDATOR.validate(PUBLIC_URL + request.path, form, request.headers.get("X-Twilio-Signature", "")):
        return Response(status=403)
    _REDIS.xadd(STREAM, form)
    return Response("<Response/>", mimetype="text/xml")
