"""A phone menu: gather a digit, connect to a person, or record a message.

Run it with a live route, so that Twilio waits for the answers, in hookline.toml:

    [[routes]]
    path = "/twilio/voice"
    live = true
    fallback = "<Response><Say>Please call again later.</Say></Response>"

    hookline up --handlers examples.ivr:handlers
"""

from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from hookline import CallReceived, Context, Handlers, RecordingStatus

handlers = Handlers()

SALES = "+18005550100"


@handlers.on(CallReceived, timeout=8)
async def answer(event: CallReceived, context: Context) -> VoiceResponse:
    """Answer each step of a call. The step is in the query of its URL, so handlers keep nothing between steps."""
    match event.query.get("step"):
        case "choice":
            return choice(event)
        case "after-sales":
            return after_sales(event)
        case "after-message":
            return goodbye("Thank you. We will call you back.")
    return menu()


def menu() -> VoiceResponse:
    """Offer a choice, twice."""
    response = VoiceResponse()
    gather = Gather(num_digits=1, action="?step=choice", timeout=5)
    gather.say("Press 1 for sales, or 2 to leave a message.")
    response.append(gather)
    response.say("You have not pressed anything.")
    response.redirect("?step=menu")
    return response


def choice(event: CallReceived) -> VoiceResponse:
    """Do what the caller has chosen."""
    response = VoiceResponse()
    if event.digits == "1":
        response.say("We connect you.")
        dial = Dial(action="?step=after-sales", timeout=20)
        dial.number(SALES)
        response.append(dial)
    elif event.digits == "2":
        record(response)
    else:
        response.say("That is not a choice.")
        response.redirect("?step=menu")
    return response


def after_sales(event: CallReceived) -> VoiceResponse:
    """Take a message if nobody has answered."""
    if event.dial_call_status == "completed":
        return goodbye("Thank you for calling.")
    response = VoiceResponse()
    response.say("Nobody answers.")
    record(response)
    return response


def record(response: VoiceResponse) -> None:
    """Record a message. Twilio tells when the recording is there."""
    response.say("Leave a message after the tone.")
    response.record(max_length=120, action="?step=after-message", recording_status_callback="/twilio/recording")


def goodbye(text: str) -> VoiceResponse:
    """End the call."""
    response = VoiceResponse()
    response.say(text)
    response.hangup()
    return response


@handlers.on(RecordingStatus)
async def voicemail(event: RecordingStatus, context: Context) -> None:
    """Note that a message was recorded. It comes some seconds after the call."""
    context.logger.info("voicemail", recording_sid=event.recording_sid)
