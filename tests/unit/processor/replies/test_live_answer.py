"""What handlers of live events return, as Twilio gets it."""

import pytest

from hookline import CallReceived, Response, UnfitError, WebhookEvent
from hookline_processor.replies.live_answer import answer_to
from hookline_processor.testkit.deliver import make_event
from hookline_shared.live import LiveAnswer, encode_answer

TWIML = "<Response><Say>hi</Say></Response>"
CALL = CallReceived(make_event(CallReceived))
HOOK = WebhookEvent(make_event("studio"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"body": "\ud83d"}, "surrogate"),
        ({"content_type": "text/plain; name=\udcff"}, "content_type"),
        ({"content_type": "text/plain\r\nSet-Cookie: a=b"}, "content_type"),
        ({"content_type": ""}, "content_type"),
        ({"status": 419}, "status=419"),
        ({"status": 302}, "status=302"),
    ],
)
def test_response_that_no_server_can_send(options: dict[str, object], problem: str) -> None:
    """It is the fault of the handler that makes it, and not of whoever stores or sends it."""
    with pytest.raises(UnfitError, match=problem):
        Response(**{"body": "x"} | options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (Response('{"ok": true}'), "application/json"),
        (Response("hello", content_type="text/html"), "no TwiML"),
        (Response("<Response><Say>", content_type="application/xml"), "no XML"),
        (Response("<Response><Say>", content_type="text/xml; charset=utf-8"), "no XML"),
        (Response(TWIML, content_type="text/xml", status=500), "500"),
    ],
)
def test_response_that_hangs_up_on_a_caller(response: Response, problem: str) -> None:
    """A call needs TwiML or plain text, and a 2xx: else Twilio says that an application error has occurred."""
    with pytest.raises(UnfitError, match=problem):
        answer_to(CALL, response)


def test_response_to_a_call() -> None:
    """TwiML, or a text that is read to the caller; without a body, the route's own reply."""
    found = answer_to(CALL, Response(TWIML, content_type="application/xml; charset=utf-8"))
    assert found == LiveAnswer("reply", content_type="application/xml; charset=utf-8", body=TWIML)
    spoken = answer_to(CALL, Response("Grüße", content_type="text/plain"))
    assert spoken == LiveAnswer("reply", content_type="text/plain; charset=utf-8", body="Grüße")
    assert answer_to(CALL, Response()) is None


def test_response_to_a_hook() -> None:
    """Whatever it says, status and all."""
    found = answer_to(HOOK, Response('{"name": "Zoë"}', status=403))
    assert found == LiveAnswer("reply", status=403, content_type="application/json", body='{"name": "Zoë"}')
    assert "Zoë" in encode_answer(found)
