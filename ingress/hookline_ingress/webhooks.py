"""The way of one request: read, verify, translate, write, reply."""

from collections.abc import Callable, Sequence
from functools import partial
from logging import DEBUG
from typing import TYPE_CHECKING

from hookline_ingress.delivery import Delivery
from hookline_ingress.http.replies import refused
from hookline_ingress.http.request import Arrived, Reply, Request, Respond
from hookline_ingress.limits.guards import Guards
from hookline_ingress.metrics import REQUESTS, STAGE_SECONDS
from hookline_ingress.refusals import Refusal, Refusals, RefusalWarnings, TokenMissing
from hookline_ingress.routing.routes import FindRoute, Route
from hookline_ingress.translation.translate import TranslatedEvent, translate
from hookline_ingress.translation.webhook import TooManyElementsError
from hookline_ingress.verification import RequestVerifier
from hookline_ingress.writer import NotStored, Stored, Write
from hookline_shared.catalogue.kinds import label_of
from hookline_shared.clock import Clock
from hookline_shared.event import Event
from hookline_shared.observability.logs import Logger, trace_fields
from hookline_shared.observability.metrics import EVENTS
from hookline_shared.topics import BULK

if TYPE_CHECKING:
    from hookline_ingress.signatures.token_provider import TokenProvider
    from hookline_ingress.tracing import RequestSpans

_TIME_TO_READ, _TIME_TO_VERIFY, _TIME_TO_TRANSLATE, _TIME_TO_WRITE = (
    STAGE_SECONDS[stage].observe for stage in ("read", "verify", "translate", "write")
)


class Webhooks:
    """Answers Twilio. A 2xx means that every event of the request is verified and stored, now or by an earlier delivery.

    `write` stores events. `spans` record the outcomes of requests, if these are traced. `provider` returns tokens that are not
    known, if there is one. `refusals` are the 503s of ours. `elsewhere` answers requests without a route here.
    """

    def __init__(
        self,
        routes: FindRoute,
        guards: Guards,
        write: Write,
        public_urls: Sequence[str],
        clock: Clock,
        logger: Logger,
        spans: "RequestSpans | None" = None,
        provider: "TokenProvider | None" = None,
        elsewhere: "Callable[[Request, Respond], None] | None" = None,
    ) -> None:
        self._elsewhere = elsewhere or _refuse_unknown
        self._routes = routes
        self._proxies, self._senders, self._addresses, self._max_in_flight = guards
        self._warnings = RefusalWarnings(public_urls, clock, logger)
        self._verifier = RequestVerifier(guards, public_urls, provider, self._warnings, clock)
        self._write = write
        self._clock = clock
        self._logger = logger
        self._spans = spans
        self._provider = provider
        self._detailed = logger.is_enabled_for(DEBUG)
        self.refusals = Refusals(clock)
        self._in_flight = 0

    def handle(self, arrived: Sequence[Arrived]) -> None:
        """Answer requests that have arrived together: each gets its reply, at once or when its events are stored.

        Each step is done for all of them before the next one: the CPU has the code of a step in its caches from the second
        request on, and needs a fifth less time. What fails of one request leaves the others alone.
        """
        deliveries = [one for request, respond in arrived if (one := self._find_route(request, respond)) is not None]
        self._take_steps(deliveries)
        if self._provider is not None:
            for one in deliveries:
                if one.missing:
                    self._provider.ask_for(one.missing, partial(self._retry, one), one.address)

    def _find_route(self, request: Request, respond: Respond) -> Delivery | None:
        """Return the delivery of a request, None if its path is answered elsewhere."""
        try:
            route = self._routes.find(request.target)
            if route is not None:
                return Delivery(request, route, respond, self._proxies.client(request))
            self._elsewhere(request, respond)
        except Exception:
            self._logger.exception("a request failed inside ingress")
            REQUESTS.count("none", 500, "failed")
            respond(refused(500))
        return None

    def _take_steps(self, deliveries: Sequence[Delivery]) -> None:
        for step in (self._verify_delivery, self._translate, self._store):
            deliveries = [one for one in deliveries if self._take(step, one)]

    def _take(self, step: Callable[[Delivery], bool], delivery: Delivery) -> bool:
        """Take one step with a request; return whether there is a next one."""
        try:
            try:
                return step(delivery)
            except Refusal as refusal:  # kept in no other variable: its traceback would keep the request until it is collected
                self._leave(delivery)
                self._refuse(delivery, refusal.status, refusal.outcome)
            except TokenMissing as missing:
                delivery.missing = missing.accounts
        except Exception:
            self._logger.exception("a request failed inside ingress")
            self._leave(delivery)
            self._fail(delivery)
        return False

    def _leave(self, delivery: Delivery) -> None:
        """Count a request no longer as one in flight."""
        if delivery.in_flight:
            delivery.in_flight = False
            self._in_flight -= 1

    def _retry(self, delivery: Delivery, *, answered: bool) -> Sequence[str]:
        """Go on with a request that has waited for tokens; return the accounts for which it must wait again.

        `answered` is whether the provider has said anything. If not, Twilio has to come again, or to call the fallback URL.
        """
        if not answered:
            self._refuse(delivery, 503, "no_token")
            return ()
        delivery.missing = ()
        self._take_steps([delivery])
        return delivery.missing

    def _verify_delivery(self, delivery: Delivery) -> bool:
        """Verify a request, which is in flight then, until its events are stored."""
        started = self._clock.monotonic()
        _TIME_TO_READ(started - delivery.request.began)
        if self._in_flight >= self._max_in_flight:
            self.refusals.note(
                f"{self._in_flight} requests are being answered at once, the most that INGRESS_MAX_IN_FLIGHT allows."
            )
            raise Refusal(503, "overloaded")
        delivery.webhook, delivery.signer = self._verifier.verify(delivery.request, delivery.route, delivery.address)
        self._in_flight += 1
        delivery.in_flight = True
        delivery.verified = self._clock.monotonic()
        _TIME_TO_VERIFY(delivery.verified - started)
        return True

    def _translate(self, delivery: Delivery) -> bool:
        """Make the events of a verified request. There may be none."""
        assert delivery.webhook is not None  # noqa: S101 - it is verified
        try:
            delivery.events = translate(delivery.webhook, delivery.signer, delivery.route.expected)
        except TooManyElementsError:
            raise Refusal(413, "too_many_events") from None
        delivery.webhook = None  # so that it takes no memory while its events are stored
        delivery.translated = self._clock.monotonic()
        _TIME_TO_TRANSLATE(delivery.translated - delivery.verified)
        if delivery.events:
            return True
        self._leave(delivery)
        self._answer(delivery, delivery.route.reply_to(None), Stored.DUPLICATE)
        return False

    def _store(self, delivery: Delivery) -> bool:
        """Pass the events of a request on to be stored: `_stored` is called for each of them, later."""
        events, route = delivery.events, delivery.route
        delivery.kind, delivery.left = events[0].kind, len(events)
        addressed = [(self._topic(one, route), one.event) for one in events]
        for topic, event in addressed:
            self._write(topic, event, partial(self._stored, delivery, topic, event))
        delivery.events = ()
        return False

    def _stored(self, delivery: Delivery, topic: str, event: Event, stored: Stored | NotStored) -> None:
        """Note where one event of a request is stored, or that it is not; answer the request after the last one."""
        delivery.left -= 1
        if not delivery.left:
            self._leave(delivery)
        try:
            self._note_stored(delivery, topic, event, stored)
            if not delivery.left:
                self._finish(delivery)
        except Exception:
            self._logger.exception("a request failed inside ingress")
            self._fail(delivery)

    def _note_stored(self, delivery: Delivery, topic: str, event: Event, stored: Stored | NotStored) -> None:
        if isinstance(stored, NotStored):
            delivery.failure = stored
            outcome = stored.outcome
        else:
            outcome = stored
            if delivery.outcome is Stored.DUPLICATE or stored is Stored.SPOOLED:
                delivery.outcome = stored
        EVENTS.count(topic, label_of(event.kind), outcome)
        if self._detailed:
            about = {"event_id": event.id, "kind": event.kind, "topic": topic, **trace_fields(event.traceparent)}
            self._logger.debug("event received", **about, outcome=str(outcome))

    def _finish(self, delivery: Delivery) -> None:
        """Answer a request whose events are all stored, or have failed."""
        outcome = delivery.outcome
        if delivery.failure is not None:
            self.refusals.note(delivery.failure.message)
            self._refuse(delivery, 503, delivery.failure.outcome)
            return
        if outcome is Stored.NEW:  # anyone can send a duplicate, or what is only spooled, who has captured a webhook
            self._addresses.accepted(delivery.address)
        _TIME_TO_WRITE(self._clock.monotonic() - delivery.translated)
        if outcome is Stored.REUSED:
            self._note_reuse(delivery)
            self._refuse(delivery, 403, outcome)
        else:
            self._answer(delivery, delivery.route.reply_to(delivery.kind), outcome)

    def _note_reuse(self, delivery: Delivery) -> None:
        self._addresses.reused(delivery.address)
        self._warnings.warn_of_reuse(delivery.route.path)

    def _refuse(self, delivery: Delivery, status: int, outcome: str) -> None:
        route = delivery.route
        reply = refused(route.refusal_status(status, delivery.request.headers))
        self._logger.debug("request refused", path=route.path, status=reply.status, outcome=outcome)
        self._answer(delivery, reply, outcome)

    def _fail(self, delivery: Delivery) -> None:
        """Answer a request that is at fault for nothing. Not as any other one: that may be what fails."""
        REQUESTS.count(delivery.route.path, 500, "failed")
        delivery.respond(refused(500))

    def _answer(self, delivery: Delivery, reply: Reply, outcome: str) -> None:
        REQUESTS.count(delivery.route.path, reply.status, outcome)
        if self._spans is not None:
            self._spans.record_outcome(delivery.request.method, delivery.route.path, outcome)
        delivery.respond(reply)

    def _topic(self, one: TranslatedEvent, route: Route) -> str:
        topic = route.topic or one.kind.topic
        if not one.kind.sender:
            return topic
        sender = one.params.get(one.kind.sender, "")
        return BULK if self._senders.demotes(one.event.account, sender, route.rate) else topic


def _refuse_unknown(_request: Request, respond: Respond) -> None:
    REQUESTS.count("none", 404, "unknown_path")
    respond(refused(404))
