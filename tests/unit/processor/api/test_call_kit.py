"""The test kit for calls, with the example IVR."""

import pytest
from twilio.twiml.voice_response import VoiceResponse

from examples.ivr import SALES, handlers
from hookline import CallReceived, Context, Handlers
from hookline.testing import CallError, Done, call, deliver

MENU = "Press 1 for sales, or 2 to leave a message."


async def test_menu_to_sales() -> None:
    """A digit, a connection, and its end."""
    caller = await call(handlers).press("1")
    assert caller.heard == [MENU, "We connect you."]
    assert caller.dialed == [SALES]
    assert not caller.ended
    await caller.dial_ends()
    assert caller.heard[-1] == "Thank you for calling."
    assert caller.ended


async def test_voicemail_if_nobody_answers() -> None:
    """A recording, and a callback that says where it is."""
    caller = await call(handlers).press("1").dial_ends("no-answer").record()
    assert caller.heard[-3:] == ["Nobody answers.", "Leave a message after the tone.", "Thank you. We will call you back."]
    assert caller.verbs[-2:] == ["Say", "Hangup"]
    assert await deliver(handlers, "recording.status") == Done()


async def test_wrong_choice_and_silence() -> None:
    """The menu comes again."""
    caller = await call(handlers).press("9")
    assert caller.heard == [MENU, "That is not a choice.", MENU]
    await caller.wait()
    assert caller.heard[-2:] == ["You have not pressed anything.", MENU]


async def test_events_are_those_of_one_call() -> None:
    """Every step has the SID of the call and its own parameters; the query tells the step."""
    seen: list[CallReceived] = []
    own = Handlers()

    @own.on(CallReceived)
    async def answer(event: CallReceived, context: Context) -> VoiceResponse:
        seen.append(event)
        response = VoiceResponse()
        response.gather(input="speech", action="/next?step=2")
        return response

    await call(own, "/voice?lang=de", From="+14155550123").say("hello")
    assert [event.raw.target for event in seen] == ["/voice?lang=de", "/next?step=2"]
    assert len({event.call_sid for event in seen}) == 1
    assert {event.from_ for event in seen} == {"+14155550123"}
    assert (seen[1].speech_result, seen[1].query) == ("hello", {"step": "2"})


async def test_mistakes_of_a_test_are_named() -> None:
    """What the call waits for, and what it has heard."""
    caller = await call(handlers)
    with pytest.raises(CallError, match="waits at <Gather>, not at <Record>"):
        await caller.record()
    caller = await call(handlers).press("2").record()
    with pytest.raises(CallError, match="is over"):
        await caller.press("1")


async def test_handler_that_fails_or_goes_round() -> None:
    """Each is an error that says so."""
    own = Handlers()

    @own.on(CallReceived)
    async def answer(event: CallReceived, context: Context) -> str:
        if event.query:
            return "<Response><Redirect>?again=1</Redirect></Response>"
        raise ValueError("no menu today")

    with pytest.raises(CallError, match="no menu today"):
        await call(own)
    with pytest.raises(CallError, match="redirected for ever"):
        await call(own, "/voice?again=1")
