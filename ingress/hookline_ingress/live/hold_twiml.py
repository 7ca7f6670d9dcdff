"""Hold: TwiML with which a call waits, and comes back for its answer. Pure.

What a caller who waits comes back with is in the URL alone, so any ingress can serve it, and none keeps a state:

    https://hooks.example.com/menu?lang=de&hookline=<partition>.<digest>.<Unix time in ms of the first request>#rc=3&rp=all

Twilio signs the whole URL. The three values are one parameter, since Twilio may reorder several. The fragment is not signed: it
makes Twilio repeat a request that failed (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
"""

import re
from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from hookline_ingress.http.request import Reply, Request
from hookline_shared.live import Place

_OVERRIDES: Final = "#rc=3&rp=all"
_PARAMETER: Final = re.compile(
    r"(?P<before>[?&])hookline=(?P<partition>\d{1,4})\.(?P<digest>[A-Za-z0-9_-]{22})\.(?P<ms>\d{13})(?=&|$)"
)
_STEP: Final = re.compile(
    rb"(?:^|&)(?:Digits|FinishedOnKey|SpeechResult|RecordingSid|RecordingUrl|DialCallStatus|QueueResult|ReferCallStatus|Result|"
    rb"SessionStatus|PaymentToken)="
)
"""A parameter that brings what a step of the call has brought."""
_PAUSE_S: Final = 1
_TWIML: Final = "text/xml"
_APOLOGY: Final = "We cannot take your call right now. Please call again later."
FALLBACK: Final = Reply(200, _TWIML, f"<Response><Say>{_APOLOGY}</Say></Response>".encode())
"""What a caller hears on a live route that has no fallback of its own."""


class Hold(NamedTuple):
    """A call that waits for the answer at `place` since `since_ms`, Unix time in ms."""

    place: Place
    since_ms: int

    @property
    def value(self) -> str:
        """The value of the parameter."""
        return f"{self.place.partition}.{self.place.digest}.{self.since_ms}"


def hold_in(request: Request) -> Hold | None:
    """Return the hold with which a call comes back, None if it does not.

    `<Gather>` and `<Record>` without an action go to the URL of their document, which may have the hold of an earlier step.
    They bring what the caller pressed, said or recorded, and a hold brings nothing. It is a POST, so what Twilio says is in the
    body. What is in the query was there before, such as the digits of a step that was a GET.
    """
    found = _PARAMETER.search(request.target) if request.method == "POST" else None
    if found is None or _STEP.search(request.body):
        return None
    return Hold(Place(int(found["partition"]), found["digest"]), int(found["ms"]))


def without_hold(target: str) -> str:
    """Return the raw path and query that Twilio called first."""
    found = _PARAMETER.search(target)
    if found is None:
        return target
    rest = target[found.end() :]
    return target[: found.start()] + (found["before"] + rest[1:] if rest else "")


def hold_reply(hold: Hold, base: str, target: str) -> Reply:
    """Return the TwiML that pauses a call and lets it come back, to `base` and `target`, what Twilio called first.

    There is nothing before the pause and nothing audible: a call that is not answered yet can still be rejected.
    """
    url = f"{base}{target}{'&' if '?' in target else '?'}hookline={hold.value}{_OVERRIDES}"
    twiml = f'<Response><Pause length="{_PAUSE_S}"/><Redirect method="POST">{escape(url, quote=False)}</Redirect></Response>'
    return Reply(200, _TWIML, twiml.encode())


def bases_called(forwarded: str, host: str, public_urls: Sequence[str]) -> list[str]:
    """Return the base URLs that Twilio may have called, the likeliest first: those with the host of the request, the others.

    `forwarded` is the one with which a trusted proxy was called, empty if there is none, and `host` is the header Host.
    """
    hosts = {urlsplit(forwarded).netloc.lower(), host.lower()}
    likely = sorted(public_urls, key=lambda url: urlsplit(url).netloc.lower() not in hosts)
    return list(dict.fromkeys([*likely, forwarded] if forwarded else likely))
