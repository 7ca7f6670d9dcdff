"""The way of one request: read, verify, translate, write, reply."""

from asyncio import gather
from collections.abc import Sequence
from typing import NamedTuple

from ingress.catalogue import EVENT_STREAM, Kind
from ingress.content import Content, decode, is_encoded
from ingress.forwarded import Proxies
from ingress.limiter import AddressLimit, SenderLimit
from ingress.metrics import STAGE_SECONDS, count_request, count_signer
from ingress.replies import refused
from ingress.request import Reply, Request
from ingress.routes import Route, Routes
from ingress.signature import Claim
from ingress.translate import Provenance, Translated, translate
from ingress.writer import NotStoredError, Stored, Writer
from shared.clock import Clock
from shared.kinds import label_of
from shared.logs import Logger
from shared.metrics import count_event
from shared.topics import BULK

_WARN_INTERVAL_S = 60.0


class Refusal(Exception):
    """A request that is not accepted. `status` is the HTTP status, `outcome` the reason for the metrics."""

    def __init__(self, status: int, outcome: str) -> None:
        super().__init__(outcome)
        self.status = status
        self.outcome = outcome


class Guards(NamedTuple):
    """What may keep a request out or send it elsewhere. `max_in_flight` counts requests."""

    proxies: Proxies
    senders: SenderLimit
    addresses: AddressLimit
    max_in_flight: int


class Webhooks:
    """Answers Twilio. A 2xx means that every event of the request is verified and safe, now or since an earlier delivery."""

    def __init__(
        self, routes: Routes, guards: Guards, writer: Writer, public_urls: Sequence[str], clock: Clock, logger: Logger
    ) -> None:
        self._routes = routes
        self._guards = guards
        self._writer = writer
        self._public_urls = public_urls
        self._clock = clock
        self._logger = logger
        self._in_flight = 0
        self._quiet_until = 0.0

    async def handle(self, request: Request) -> Reply:
        """Answer one request, whatever it is."""
        route = self._routes.find(request.target)
        if route is None:
            count_request("none", 404, "unknown_path").inc()
            return refused(404)
        try:
            reply, outcome = await self._accept(request, route)
        except Refusal as refusal:
            reply, outcome = refused(_kept_by_twilio(refusal, request, route)), refusal.outcome
        count_request(route.path, reply.status, outcome).inc()
        return reply

    async def _accept(self, request: Request, route: Route) -> tuple[Reply, str]:
        """Give the reply to `request`, and what became of it, once all its events are safe."""
        started = self._clock.monotonic()
        STAGE_SECONDS["read"].observe(started - request.began)
        self._check(request, route)
        self._in_flight += 1
        try:
            content = self._decode(request)
            signature, signer = self._verify(request, content, route)
            verified = self._clock.monotonic()
            STAGE_SECONDS["verify"].observe(verified - started)
            events = translate(request, content, route.expected, Provenance(self._clock.now_ms(), signature, signer))
            translated = self._clock.monotonic()
            STAGE_SECONDS["translate"].observe(translated - verified)
            outcome = await self._write(events, route)
            STAGE_SECONDS["write"].observe(self._clock.monotonic() - translated)
        finally:
            self._in_flight -= 1
        return route.reply_to(events[0].kind if events else None), outcome

    def _check(self, request: Request, route: Route) -> None:
        if self._in_flight >= self._guards.max_in_flight:
            raise Refusal(503, "overloaded")
        if request.method not in ("POST", "GET"):
            raise Refusal(405, "wrong_method")
        if is_encoded(request.headers.get("Content-Encoding", "")):
            raise Refusal(415, "compressed")
        if len(request.body) > route.body_limit(request.headers.get("Content-Type", "")):
            raise Refusal(413, "too_large")
        if self._guards.addresses.blocks(self._guards.proxies.client(request)):
            raise Refusal(403, "flooding")

    def _decode(self, request: Request) -> Content:
        try:
            request.target.encode()  # a target that is not UTF-8 could neither be signed nor stored
            return decode(request)
        except ValueError:
            self._guards.addresses.refused(self._guards.proxies.client(request))
            raise Refusal(400, "unparsable") from None

    def _verify(self, request: Request, content: Content, route: Route) -> tuple[str, str]:
        """Give the signature, and the name of the secret that made it."""
        proxies, addresses = self._guards.proxies, self._guards.addresses
        account = content.params.get("AccountSid", "")
        claim = Claim(request.target, request.headers, content.signed, content.body, account, proxies.base(request))
        signer = route.verifier.verify(claim)
        signature = route.verifier.signature_of(request.headers)
        if signer is None:
            addresses.refused(proxies.client(request))
            self._warn_of_refusal(route, signed=bool(signature))
            raise Refusal(403, "bad_signature" if signature else "no_signature")
        addresses.verified(proxies.client(request))
        count_signer(signer).inc()
        return signature, signer

    def _warn_of_refusal(self, route: Route, *, signed: bool) -> None:
        """Say at most once a minute that requests are refused: it is what a wrong PUBLIC_URL or token looks like."""
        now = self._clock.monotonic()
        if now < self._quiet_until:
            return
        self._quiet_until = now + _WARN_INTERVAL_S
        self._logger.warning(
            "a request was refused, its signature is missing or wrong",
            path=route.path,
            signed=signed,
            tried=self._public_urls,
            remedy="if Twilio sent it: PUBLIC_URL must be what Twilio calls, up to but without /twilio, and "
            "TWILIO_AUTH_TOKEN the token of that account",
        )

    async def _write(self, events: Sequence[Translated], route: Route) -> str:
        """Write all of `events`, in their order; gives what became of them. All are written before any error is raised."""
        writes = [(one, topic := self._topic(one, route), self._writer.write(topic, one.event)) for one in events]
        refusal, outcomes = None, {Stored.DUPLICATE.value}
        if len(writes) > 1:
            await gather(*(stored for _, _, stored in writes), return_exceptions=True)
        for one, topic, stored in writes:
            try:
                outcome = (await stored).value
            except NotStoredError as error:
                outcome, refusal = error.outcome, Refusal(503, error.outcome)
            count_event(topic, label_of(one.event.kind), outcome).inc()
            outcomes.add(outcome)
        if refusal is not None:
            raise refusal
        return next(one.value for one in (Stored.SPOOLED, Stored.NEW, Stored.DUPLICATE) if one.value in outcomes)

    def _topic(self, one: Translated, route: Route) -> str:
        kind: Kind = one.kind
        topic = route.topic or kind.topic
        if kind.sender is None:
            return topic
        sender = kind.sender(one.params)
        return BULK if self._guards.senders.demotes(one.event.account, sender, route.rate) else topic


def _kept_by_twilio(refusal: Refusal, request: Request, route: Route) -> int:
    """Give the status of a refusal.

    Twilio discards an Event Streams delivery for good after most 4xx, and repeats it for hours after a 5xx: time enough to mend
    a wrong token, or a limit that was too low. So whatever may be our fault is a 5xx there.
    """
    signed = bool(route.verifier.signature_of(request.headers))
    return 503 if route.expected is EVENT_STREAM and signed and refusal.status in (403, 413) else refusal.status
