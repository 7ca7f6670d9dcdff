"""The way of one request: read, verify, translate, write, reply."""

from collections.abc import Callable, Sequence
from functools import partial
from logging import DEBUG
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from aiohttp.hdrs import CONTENT_ENCODING
from msgspec.structs import replace

from hookline_ingress.http.proxies import Proxies
from hookline_ingress.http.replies import refused
from hookline_ingress.http.request import Reply, Request, Respond
from hookline_ingress.limits.addresses import AddressLimit
from hookline_ingress.limits.sender_limit import SenderLimit
from hookline_ingress.metrics import REQUESTS, SIGNERS, STAGE_SECONDS
from hookline_ingress.refusals import Refusal, Refusals, RefusalWarnings, TokenMissing
from hookline_ingress.routing.routes import FindRoute, Route
from hookline_ingress.signatures.likely_cause import likely_cause
from hookline_ingress.translation.translate import TranslatedEvent, translate
from hookline_ingress.translation.webhook import TooManyElementsError, Webhook, is_encoded
from hookline_ingress.writer import NotStored, Stored, Write
from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.kinds import label_of
from hookline_shared.catalogue.sids import PARENT_ACCOUNT, is_account
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


class Guards(NamedTuple):
    """The limits that may refuse a request or send its events to the topic bulk. `max_in_flight` counts requests."""

    proxies: Proxies
    senders: SenderLimit
    addresses: AddressLimit
    max_in_flight: int


class _Delivery(msgspec.Struct, gc=False):
    """A request, until it is answered: `respond` sends the reply. `address` is that of the client.

    Of its events, the first is of `kind`, `left` are not stored yet, and `failure` is why one cannot be. `outcome` is that of
    the others together: spooled before accepted before duplicate. `translated` is when they were made.
    """

    request: Request
    route: Route
    respond: Respond
    address: str
    translated: float = 0.0
    kind: Kind | None = None
    left: int = 0
    outcome: Stored = Stored.DUPLICATE
    failure: NotStored | None = None


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
        self._write = write
        self._public_urls = public_urls
        self._clock = clock
        self._logger = logger
        self._spans = spans
        self._provider = provider
        self._detailed = logger.is_enabled_for(DEBUG)
        self.refusals = Refusals(clock)
        self._in_flight = 0
        self._warnings = RefusalWarnings(public_urls, clock, logger)

    def handle(self, request: Request, respond: Respond) -> None:
        """Answer any request: `respond` is called with the reply, at once or when its events are stored."""
        route = self._routes.find(request.target)
        if route is None:
            self._elsewhere(request, respond)
            return
        delivery = _Delivery(request, route, respond, self._proxies.client(request))
        try:
            self._accept(delivery)
        except Refusal as refusal:  # kept in no other variable: its traceback would keep the request until a garbage collection
            self._refuse(delivery, refusal.status, refusal.outcome)
        except TokenMissing as missing:
            assert self._provider is not None  # noqa: S101 - it has said what is missing
            self._provider.ask_for(missing.accounts, partial(self._accept_later, delivery), delivery.address)

    def _accept_later(self, delivery: _Delivery, *, answered: bool) -> Sequence[str]:
        """Accept or refuse a request that has waited for tokens; return the accounts for which it must wait again.

        `answered` is whether the provider has said anything. If not, Twilio has to come again, or to call the fallback URL.
        """
        if not answered:
            self._refuse(delivery, 503, "no_token")
            return ()
        try:
            self._accept(delivery)
        except Refusal as refusal:
            self._refuse(delivery, refusal.status, refusal.outcome)
        except TokenMissing as missing:
            return missing.accounts
        except Exception:
            self._logger.exception("a request failed inside ingress")
            self._fail(delivery)
        return ()

    def _accept(self, delivery: _Delivery) -> None:
        """Verify a request, and pass its events on to be stored: `_stored` is called for each of them, later."""
        request, route, now = delivery.request, delivery.route, self._clock.monotonic
        started = now()
        _TIME_TO_READ(started - request.began)
        if self._in_flight >= self._max_in_flight:
            self.refusals.note(
                f"{self._in_flight} requests are being answered at once, the most that INGRESS_MAX_IN_FLIGHT allows."
            )
            raise Refusal(503, "overloaded")
        signature = self._check(request, route, delivery.address)
        try:
            webhook, signer = self._verify(self._decode(request, route, signature), route)
        except (Refusal, TokenMissing):
            self._addresses.refused(delivery.address)
            raise
        verified = now()
        _TIME_TO_VERIFY(verified - started)
        try:
            events = translate(webhook, signer, route.expected)
        except TooManyElementsError:
            raise Refusal(413, "too_many_events") from None
        delivery.translated = now()
        _TIME_TO_TRANSLATE(delivery.translated - verified)
        if not events:
            self._answer(delivery, route.reply_to(None), Stored.DUPLICATE)
            return
        delivery.kind, delivery.left = events[0].kind, len(events)
        addressed = [(self._topic(one, route), one.event) for one in events]
        self._in_flight += 1
        try:
            for topic, event in addressed:
                self._write(topic, event, partial(self._stored, delivery, topic, event))
        except BaseException:
            self._in_flight -= 1  # `_stored` will not: the event that is not written is left
            raise

    def _stored(self, delivery: _Delivery, topic: str, event: Event, stored: Stored | NotStored) -> None:
        """Note where one event of a request is stored, or that it is not; answer the request after the last one."""
        delivery.left -= 1
        if not delivery.left:
            self._in_flight -= 1
        try:
            self._note_stored(delivery, topic, event, stored)
            if not delivery.left:
                self._finish(delivery)
        except Exception:
            self._logger.exception("a request failed inside ingress")
            self._fail(delivery)

    def _note_stored(self, delivery: _Delivery, topic: str, event: Event, stored: Stored | NotStored) -> None:
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

    def _finish(self, delivery: _Delivery) -> None:
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

    def _note_reuse(self, delivery: _Delivery) -> None:
        self._addresses.reused(delivery.address)
        self._warnings.warn_of_reuse(delivery.route.path)

    def _refuse(self, delivery: _Delivery, status: int, outcome: str) -> None:
        route = delivery.route
        reply = refused(route.refusal_status(status, delivery.request.headers))
        self._logger.debug("request refused", path=route.path, status=reply.status, outcome=outcome)
        self._answer(delivery, reply, outcome)

    def _fail(self, delivery: _Delivery) -> None:
        """Answer a request that is at fault for nothing. Not as any other one: that may be what fails."""
        REQUESTS.count(delivery.route.path, 500, "failed")
        delivery.respond(refused(500))

    def _answer(self, delivery: _Delivery, reply: Reply, outcome: str) -> None:
        REQUESTS.count(delivery.route.path, reply.status, outcome)
        if self._spans is not None:
            self._spans.record_outcome(delivery.request.method, delivery.route.path, outcome)
        delivery.respond(reply)

    def _check(self, request: Request, route: Route, address: str) -> str:
        """Refuse what is refused whatever its signature is; return the signature, empty if there is none."""
        headers = request.headers
        if request.method not in ("POST", "GET"):
            raise Refusal(405, "wrong_method")
        encoding = headers.get(CONTENT_ENCODING)
        if encoding is not None and is_encoded(encoding):
            raise Refusal(415, "compressed")
        if not route.admits(len(request.body), headers):
            raise Refusal(413, "too_large")
        signature = route.verifier.signature_of(headers)
        if self._addresses.blocks(address, len(request.target) + len(request.body), signed=bool(signature)):
            raise Refusal(403, "flooding_signed" if signature else "flooding")
        return signature

    def _decode(self, request: Request, route: Route, signature: str) -> Webhook:
        if not signature:
            self._warnings.warn_of_signature(route.path)
            raise Refusal(403, "no_signature")
        try:
            return route.decode(request, signature, self._clock.now_ms())
        except ValueError:
            raise Refusal(400, "unparsable") from None

    def _verify(self, webhook: Webhook, route: Route) -> tuple[Webhook, str]:
        """Return `webhook` with the account that its signature is valid for, and the name of the secret that verifies it.

        What is about a subaccount may be signed with the token of the parent account. It then counts as the parent's: its token
        must not speak for accounts that are not its own. Such webhooks are forms: JSON is not decoded before it is verified.
        """
        forwarded = self._proxies.base(webhook.request)
        signer = route.verifier.verify(webhook, forwarded)
        if signer is None and is_account(parent := webhook.form.params.get(PARENT_ACCOUNT, "")):
            webhook = replace(webhook, account=parent)
            signer = route.verifier.verify(webhook, forwarded)
        if signer is None:
            if self._provider is not None and (accounts := self._provider.accounts_to_ask(route.verifier, webhook)):
                raise TokenMissing(accounts)
            self._warnings.warn_of_signature(route.path, lambda: self._cause(route, webhook, forwarded))
            raise Refusal(403, "bad_signature")
        SIGNERS.count(signer.name)
        return webhook.of_account(signer.account), signer.name

    def _cause(self, route: Route, webhook: Webhook, forwarded: str) -> str | None:
        verifier = route.verifier
        return verifier.cause(webhook) or likely_cause(verifier, webhook, tuple(self._public_urls), forwarded)

    def _topic(self, one: TranslatedEvent, route: Route) -> str:
        topic = route.topic or one.kind.topic
        if not one.kind.sender:
            return topic
        sender = one.params.get(one.kind.sender, "")
        return BULK if self._senders.demotes(one.event.account, sender, route.rate) else topic


def _refuse_unknown(_request: Request, respond: Respond) -> None:
    REQUESTS.count("none", 404, "unknown_path")
    respond(refused(404))
