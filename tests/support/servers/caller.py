"""Somebody who calls: plays Twilio for one call, from its first request to the end of its TwiML.

It carries out `<Pause>`, `<Redirect>` and `<Gather>`, and repeats a request that fails (`#rc=3&rp=all`). It hears the rest.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final
from urllib.parse import urljoin
from xml.etree import ElementTree

import aiohttp

from tests.support.inbound.webhooks import PUBLIC_URL, Twilio
from tests.support.ingress.ingress_client import IngressClient, Reply
from tests.support.servers.fake_twilio import ACCOUNT

_RETRIES: Final = 3
_MOST_STEPS: Final = 100


@dataclass
class Caller:
    """A call that goes to one of `clients`, another one when a request fails. `heard` is what its TwiML has said.

    `pause_s` is how long a `<Pause>` of one second takes. `seconds` has how long each request took to be answered, its repeats
    included.
    """

    clients: Sequence[IngressClient]
    sid: str = field(default_factory=lambda: f"CA{token_hex(16)}")
    twilio: Twilio = field(default_factory=Twilio)
    pause_s: float = 0.05
    heard: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    holds: int = 0
    gather: str | None = None

    @property
    def twiml(self) -> str:
        """The latest TwiML."""
        return self.replies[-1].body.decode()

    async def call(self, target: str = "/voice") -> "Caller":
        """Call, and go on until the TwiML ends or waits for digits."""
        await self._go_on(target, ())
        return self

    async def press(self, digits: str, **params: str) -> "Caller":
        """Press `digits` at the last `<Gather>`, and go on."""
        assert self.gather is not None, f"nothing asks for digits: {self.heard}"
        target, self.gather = self.gather, None
        await self._go_on(target, [("Digits", digits), *params.items()])
        return self

    async def request(self, target: str, more: Iterable[tuple[str, str]] = ()) -> Reply:
        """Make one request as Twilio does, and repeat it if it fails; return the answer."""
        started = asyncio.get_running_loop().time()
        params = [("CallSid", self.sid), ("AccountSid", ACCOUNT), ("From", "+14155550123"), ("To", "+18005551212")]
        params += [("CallStatus", "in-progress"), ("Direction", "inbound"), ("ApiVersion", "2010-04-01"), *more]
        webhook = self.twilio.webhook(params, target).with_header("I-Twilio-Idempotency-Token", token_hex(16))
        for attempt in range(_RETRIES + 1):
            try:
                reply = await self.clients[attempt % len(self.clients)].post(webhook)
                if reply.status < 400 or attempt == _RETRIES:
                    break
            except (aiohttp.ClientError, OSError):
                if attempt == _RETRIES:
                    raise
                await asyncio.sleep(0.2)
        self.seconds.append(asyncio.get_running_loop().time() - started)
        self.replies.append(reply)
        return reply

    async def _go_on(self, target: str, more: Iterable[tuple[str, str]]) -> None:
        next_target: str | None = target
        for _ in range(_MOST_STEPS):
            if next_target is None:
                return
            reply = await self.request(next_target, more)
            assert reply.status == 200, f"Twilio logs error 11200: {reply}"
            more = ()
            next_target = await self._carry_out(ElementTree.fromstring(reply.body), next_target)
        raise AssertionError(f"the call goes on for ever: {self.heard}")

    async def _carry_out(self, response: ElementTree.Element, target: str) -> str | None:
        """Carry out TwiML that came from `target`; return where the call goes on, None if it ends or waits."""
        for verb in response:
            if verb.tag == "Pause":
                await asyncio.sleep(self.pause_s * float(verb.get("length", "1")))
            elif verb.tag == "Redirect":
                self.holds += "hookline=" in (verb.text or "")
                return self._absolute(verb.text or "", target)
            elif verb.tag == "Gather":
                self.heard += [say.text or "" for say in verb.iter("Say")]
                self.gather = self._absolute(verb.get("action", ""), target)
                return None
            else:
                self.heard.append(verb.text or verb.tag)
        return None

    def _absolute(self, url: str, target: str) -> str:
        """Return the path and query of `url` in a document that came from `target`. Nobody calls another host."""
        whole = urljoin(f"{PUBLIC_URL}{target}", url).partition("#")[0]
        assert whole.startswith(PUBLIC_URL), whole
        return whole.removeprefix(PUBLIC_URL)
