"""A Flask app that answers Twilio, in the shape of Twilio's tutorials: python flask_app.py PORT."""

import functools
import os
import sys
from collections.abc import Callable

from flask import Flask, abort, request, session
from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import Gather, VoiceResponse

app = Flask(__name__)
app.secret_key = "a secret of the app"
validator = RequestValidator(os.environ["TWILIO_AUTH_TOKEN"])


def from_twilio(view: Callable[[], str]) -> Callable[[], str]:
    """Refuse what Twilio has not signed."""

    @functools.wraps(view)
    def checked() -> str:
        if not validator.validate(request.url, request.form, request.headers.get("X-Twilio-Signature", "")):
            abort(403)
        return view()

    return checked


@app.post("/sms")
@from_twilio
def sms() -> str:
    """Count the messages of a conversation in its session."""
    session["count"] = session.get("count", 0) + 1
    response = MessagingResponse()
    response.message(f"{session['count']}: {request.form['Body']}")
    return str(response)


@app.post("/voice")
@from_twilio
def voice() -> str:
    """Offer a menu. The action is relative."""
    response = VoiceResponse()
    gather = Gather(num_digits=1, action="menu")
    gather.say("press a key")
    response.append(gather)
    return str(response)


@app.post("/menu")
@from_twilio
def menu() -> str:
    """Say which key was pressed."""
    response = VoiceResponse()
    response.say(f"you pressed {request.form['Digits']}")
    return str(response)


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]))
