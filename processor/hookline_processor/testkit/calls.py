"""The test kit for calls: somebody who calls, hears what the handlers answer, and presses keys.

>>> async def test_menu() -> None:
...     caller = await call(handlers).press("2")
...     assert caller.heard == ["Press 1 for sales, 2 for support.", "Support is closed."]

It carries out TwiML as far as a caller notices: texts are heard, `<Redirect>` is followed, and `<Gather>`, `<Record>` and
`<Dial>` wait for the next step of the test.
"""

from collections.abc import Generator, Sequence
from secrets import token_hex
from typing import Any, Final, Self
from urllib.parse import urljoin
from xml.etree.ElementTree import Element, fromstring

from msgspec.structs import replace

from hookline_processor.api.handlers import Handlers
from hookline_processor.testkit.deliver import deliver, make_event
from hookline_processor.verdicts import Done, Verdict
from hookline_shared.catalogue.products.voice import CallReceived
from hookline_shared.event import Event
from hookline_shared.live import Live, marked

_BASE: Final = "https://hooks.example.com"
_LIVE: Final = Live(60)
_MOST_STEPS: Final = 50
_EMPTY: Final = "<Response/>"
_ENDS: Final = ("Hangup", "Reject", "Leave", "Enqueue", "Connect", "Refer")
_Step = tuple[str | None, dict[str, str]]
"""The verb that must wait, None for the first step, and the parameters that Twilio sends for it."""


class CallError(AssertionError):
    """A test does what the call does not wait for, or a handler did not answer. The message says what the call heard."""


class Call:
    """One call. Await it to let it begin, and to take the steps that were added since.

    - `heard`: a list of texts, what the caller has heard so far: of `<Say>`, and the URLs of `<Play>`.
    - `verbs`: a list of strings, the names of all verbs that were carried out, nested ones not counted.
    - `twiml`: a string, the latest TwiML.
    - `verdicts`: a list of `Done`, `Retry` and `Dead`, one for each event.
    - `dialed`: a list of strings, the numbers, clients and addresses in `<Dial>`.
    - `ended`: a bool, whether the call is over.
    """

    def __init__(self, handlers: Handlers, target: str, params: dict[str, str]) -> None:
        self.heard: list[str] = []
        self.verbs: list[str] = []
        self.dialed: list[str] = []
        self.twiml = ""
        self.verdicts: list[Verdict] = []
        self.ended = False
        self._handlers = handlers
        self._target = target
        self._params = {"CallSid": f"CA{token_hex(16)}", "CallStatus": "ringing"} | params
        self._steps: list[_Step] = [(None, {})]
        self._rest: Sequence[Element] = ()
        self._waits: Element | None = None

    def __await__(self) -> Generator[Any, None, Self]:
        """Take the steps that were added, and return the call."""
        return self._take_steps().__await__()

    def press(self, digits: str) -> Self:
        """Press `digits` at a `<Gather>`."""
        return self._add("Gather", Digits=digits, msg="Gather End")

    def say(self, text: str, confidence: float = 0.9) -> Self:
        """Say `text` at a `<Gather>` that listens."""
        return self._add("Gather", SpeechResult=text, Confidence=str(confidence))

    def wait(self) -> Self:
        """Press nothing at a `<Gather>`, and hear what comes behind it."""
        return self._add("Gather")

    def record(self, url: str = "https://api.twilio.com/recording", duration: int = 5, digits: str = "hangup") -> Self:
        """Speak at a `<Record>`, which makes a recording of `duration` seconds at `url`, and end with `digits`."""
        sid = f"RE{token_hex(16)}"
        return self._add("Record", RecordingUrl=url, RecordingSid=sid, RecordingDuration=str(duration), Digits=digits)

    def dial_ends(self, status: str = "completed", duration: int = 10) -> Self:
        """End the other call of a `<Dial>` with `status`: completed, busy, no-answer, failed or canceled."""
        sid = f"CA{token_hex(16)}"
        return self._add("Dial", DialCallStatus=status, DialCallSid=sid, DialCallDuration=str(duration))

    def _add(self, verb: str, **params: str) -> Self:
        self._steps.append((verb, params))
        return self

    async def _take_steps(self) -> Self:
        steps, self._steps = self._steps, []
        for verb, params in steps:
            if verb is None:
                await self._go_to(self._target, {})
            else:
                await self._step(verb, params)
        return self

    async def _step(self, verb: str, params: dict[str, str]) -> None:
        waiting = self._waits
        if waiting is None or waiting.tag != verb:
            what = f"waits at <{waiting.tag}>" if waiting is not None else "is over" if self.ended else "waits for nothing"
            raise CallError(f"The call {what}, not at <{verb}>. It has heard {self.heard}, and its TwiML is {self.twiml}.")
        self._waits = None
        action = waiting.get("action")
        if not params or (action is None and verb == "Dial"):
            if (url := await self._carry_out(self._rest)) is not None:
                await self._go_to(url, {})
        else:
            await self._go_to(urljoin(f"{_BASE}{self._target}", action or ""), params)

    async def _go_to(self, url: str, params: dict[str, str]) -> None:
        """Ask the handlers what to do at `url`, follow redirects, and carry it out."""
        next_url: str | None = url
        for _ in range(_MOST_STEPS):
            if next_url is None:
                return
            self._target = urljoin(_BASE, next_url).removeprefix(_BASE)
            twiml = await self._ask(params)
            self._params["CallStatus"], params = "in-progress", {}
            next_url = await self._carry_out(list(fromstring(twiml)))  # noqa: S314 - of the test's own handlers
        raise CallError(f"The call is redirected for ever. It has heard {self.heard}.")

    async def _ask(self, params: dict[str, str]) -> str:
        verdict = await deliver(self._handlers, self._event(params))
        self.verdicts.append(verdict)
        if not isinstance(verdict, Done):
            raise CallError(f"The handler did not answer {self._target} with {params}: {verdict.failure}")
        answer = verdict.outputs.answer
        self.twiml = answer.body if answer is not None and answer.body else _EMPTY
        return self.twiml

    def _event(self, params: dict[str, str]) -> Event:
        event = make_event(CallReceived, **self._params, **params)
        return replace(event, target=self._target, key=self._params["CallSid"], dedupe_key=marked(event.dedupe_key, _LIVE))

    async def _carry_out(self, verbs: Sequence[Element]) -> str | None:
        """Carry out `verbs`; return the URL of a redirect, None if the call ends or waits."""
        for at, verb in enumerate(verbs):
            self.verbs.append(verb.tag)
            self.heard += [text.strip() for part in verb.iter() if part.tag in ("Say", "Play") and (text := part.text or "")]
            if verb.tag == "Redirect":
                return urljoin(f"{_BASE}{self._target}", (verb.text or "").strip())
            if verb.tag in _WAITING:
                self._waits, self._rest = verb, verbs[at + 1 :]
                self.dialed += _dialed(verb)
                return None
            if verb.tag in _ENDS:
                break
        self.ended = True
        return None


_WAITING: Final = ("Gather", "Record", "Dial")


def _dialed(verb: Element) -> list[str]:
    """Return whom a verb calls."""
    if verb.tag != "Dial":
        return []
    texts = [verb.text or "", *(part.text or "" for part in verb)]
    return [text.strip() for text in texts if text.strip()]


def call(handlers: Handlers, target: str = "/twilio/voice", **params: str) -> Call:
    """Return a call to `handlers`, which begins when it is awaited: `await call(handlers).press("2")`.

    - `target`: the path and query that Twilio calls.
    - `params`: parameters of Twilio for every step, such as `From`.

    Raises:
        CallError: when awaited, if a step is none that the call waits for, or a handler does not answer.

    """
    return Call(handlers, target, params)
