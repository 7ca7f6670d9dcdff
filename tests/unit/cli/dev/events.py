"""Events of webhooks, for tests of `hookline dev`."""

from collections.abc import Iterable
from urllib.parse import urlencode

from msgspec.structs import replace

from hookline_shared.event import Event
from tests.support.processor.events import event


def event_of(content: object, kind: str, target: str = "/twilio", signer: str = "token1") -> Event:
    """Return the event of a form with the parameters `content`, or of JSON if that is bytes."""
    if isinstance(content, bytes):
        return replace(event(kind=kind, body=content), target=target, signer=signer, content_type="application/json")
    assert isinstance(content, Iterable)
    return replace(event(kind=kind, body=urlencode(list(content)).encode()), target=target, signer=signer)
