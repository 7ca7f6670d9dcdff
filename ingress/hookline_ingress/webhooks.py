"""The way of one request: read, verify, translate, write, reply."""

from asyncio import wait
from collections.abc import Callable, Sequence
from logging import DEBUG
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from hookline_ingress.http.proxies import Proxies
from hookline_ingress.http.replies import refused
from hookline_ingress.http.request import Reply, Request
from hookline_ingress.limits.addresses import AddressLimit
from hookline_ingress.limits.limiter import SenderLimit
from hookline_ingress.metrics import REQUESTS, SIGNERS, STAGE_SECONDS
from hookline_ingress.refusals import Refusals
from hookline_ingress.routes import Route, Routes
from hookline_ingress.signatures.likely_cause import likely_cause
from hookline_ingress.translation.translate import TranslatedEvent, translate
from hookline_ingress.translation.webhook import TooManyElementsError, Webhook, is_encoded
from hookline_ingress.writer import NotStoredError, Stored, Write
from hookline_shared.catalogue.sids import PARENT_ACCOUNT, is_account
from hookline_shared.clock import Clock
from hookline_shared.event import Event
from hookline_shared.kinds import label_of
from hookline_shared.observability.logs import Logger, trace_fields
from hookline_shared.observability.metrics import EVENTS
from hookline_shared.topics import BULK

if TYPE_CHECKING:
    from hookline_ingress.signatures.token_provider import TokenProvider
    from hookline_ingress.tracing import RequestSpans

_WARN_INTERVAL_S: Final = 60.0
_REUSED: Final = "someone has a genuine webhook and changes it: find out where they got it, and rotate the token if in doubt"
_TIME_TO_READ, _TIME_TO_VERIFY, _TIME_TO_TRANSLATE, _TIME_TO_WRITE = (
    STAGE_SECONDS[stage].observe for stage in ("read", "verify", "translate", "write")
)


class Refusal(Exception):
    """A request that is not accepted. `status` is the HTTP status, `outcome` the reason for the metrics."""

    def __init__(self, status: int, outcome: str) -> None:
        super().__init__(outcome)
        self.status = status
        self.outcome = outcome


class TokenMissing(Exception):
    """The token that may have signed `webhook` is not known; a provider has to be asked for those of `accounts`."""

    def __init__(self, webhook: Webhook, accounts: Sequence[str]) -> None:
        super().__init__(f"{len(accounts)} accounts")
        self.webhook = webhook
        self.accounts = accounts


class Guards(NamedTuple):
    """The limits that may refuse a request or send its events to the topic bulk. `max_in_flight` counts requests."""

    proxies: Proxies
    senders: SenderLimit
    addresses: AddressLimit
    max_in_flight: int


class Webhooks:
    """Answers Twilio. A 2xx means that every event of the request is verified and stored, now or by an earlier delivery.

    `write` stores events. `spans` record the outcomes of requests, if these are traced. `provider` returns tokens that are not
    known, if there is one. `refusals` are the 503s of ours.
    """

    def __init__(
        self,
        routes: Routes,
        guards: Guards,
        write: Write,
        public_urls: Sequence[str],
        clock: Clock,
        logger: Logger,
        spans: "RequestSpans | None" = None,
        provider: "TokenProvider | None" = None,
    ) -> None:
        self._routes = routes
        self._proxies, self._senders, self._addresses, self._max_in_flight = guards
        self._write_event = write
        self._public_urls = public_urls
        self._clock = clock
        self._logger = logger
        self._spans = spans
        self._provider = provider
        self._detailed = logger.is_enabled_for(DEBUG)
        self.refusals = Refusals(clock)
        self._in_flight = 0
        self._quiet_until = 0.0
        self._quiet_of_reuse_until = 0.0

    async def handle(self, request: Request) -> Reply:
        """Return the reply to any request."""
        route = self._routes.find(request.target)
        if route is None:
            REQUESTS.count("none", 404, "unknown_path")
            return refused(404)
        try:
            reply, outcome = await self._accept(request, route)
        except Refusal as refusal:  # kept in no other variable: its traceback would keep the request until a garbage collection
            reply, outcome = refused(route.refusal_status(refusal.status, request.headers)), refusal.outcome
            self._logger.debug("request refused", path=route.path, status=reply.status, outcome=outcome)
        REQUESTS.count(route.path, reply.status, outcome)
        if self._spans is not None:
            self._spans.record_outcome(request.method, route.path, outcome)
        return reply

    async def _accept(self, request: Request, route: Route) -> tuple[Reply, str]:
        """Return the reply to `request` and its outcome, once all its events are stored."""
        now = self._clock.monotonic
        started = now()
        _TIME_TO_READ(started - request.began)
        if self._in_flight >= self._max_in_flight:
            self.refusals.note(
                f"{self._in_flight} requests are being answered at once, the most that INGRESS_MAX_IN_FLIGHT allows."
            )
            raise Refusal(503, "overloaded")
        self._in_flight += 1
        try:
            address = self._proxies.client(request)
            signature = self._check(request, route, address)
            try:
                webhook = self._decode(request, route, signature)
                webhook, signer = self._verify(webhook, route)
            except Refusal:
                self._addresses.refused(address)
                raise
            except TokenMissing as missing:
                self._addresses.refused(address)
                webhook, signer = await self._verify_later(missing, route, address)
            verified = now()
            _TIME_TO_VERIFY(verified - started)
            events = _translate(webhook, signer, route)
            translated = now()
            _TIME_TO_TRANSLATE(translated - verified)
            outcome = await self._write(events, route)
            if outcome is Stored.NEW:  # anyone can send a duplicate, or what is only spooled, who has captured a webhook
                self._addresses.accepted(address)
            _TIME_TO_WRITE(now() - translated)
            if outcome is Stored.REUSED:
                self._addresses.reused(address)
                self._warn_of_reuse(route)
                raise Refusal(403, outcome)
        finally:
            self._in_flight -= 1
        return route.reply_to(events[0].kind if events else None), outcome

    def _check(self, request: Request, route: Route, address: str) -> str:
        """Refuse what is refused whatever its signature is; return the signature, empty if there is none."""
        headers = request.headers
        if request.method not in ("POST", "GET"):
            raise Refusal(405, "wrong_method")
        if is_encoded(headers.get("Content-Encoding", "")):
            raise Refusal(415, "compressed")
        if len(request.body) > route.body_limit(headers.get("Content-Type", "")):
            raise Refusal(413, "too_large")
        signature = route.verifier.signature_of(headers)
        if self._addresses.blocks(address, len(request.target) + len(request.body), signed=bool(signature)):
            raise Refusal(403, "flooding_signed" if signature else "flooding")
        return signature

    def _decode(self, request: Request, route: Route, signature: str) -> Webhook:
        if not signature:
            self._warn_of_refusal(route)
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
                raise TokenMissing(webhook, accounts)
            self._warn_of_refusal(route, lambda: self._cause(route, webhook, forwarded))
            raise Refusal(403, "bad_signature")
        SIGNERS.count(signer.name)
        return webhook.of_account(signer.account), signer.name

    async def _verify_later(self, missing: TokenMissing, route: Route, address: str) -> tuple[Webhook, str]:
        """Return what `_verify` does, once the provider has answered for the accounts that are `missing`.

        The second time, it was asked for a token that was in use again after it had expired, and did not verify the webhook.
        """
        assert self._provider is not None  # noqa: S101 - it has said what is missing
        for _ in range(2):
            if not await self._provider.learn(missing.accounts, genuine=self._addresses.is_genuine(address)):
                break
            try:
                return self._verify(missing.webhook, route)
            except TokenMissing as still:
                missing = still
        raise Refusal(503, "no_token")

    def _cause(self, route: Route, webhook: Webhook, forwarded: str) -> str | None:
        verifier = route.verifier
        return verifier.cause(webhook) or likely_cause(verifier, webhook, tuple(self._public_urls), forwarded)

    def _warn_of_reuse(self, route: Route) -> None:
        """Log at most once a minute that a signature was used for another event."""
        now = self._clock.monotonic()
        if now >= self._quiet_of_reuse_until:
            self._quiet_of_reuse_until = now + _WARN_INTERVAL_S
            self._logger.warning("request refused: its signature was used for another event", path=route.path, remedy=_REUSED)

    def _warn_of_refusal(self, route: Route, find_cause: Callable[[], str | None] | None = None) -> None:
        """Log at most once a minute that requests are refused, as happens with a wrong PUBLIC_URL or token, and why.

        `find_cause` returns the likely cause for a request that is signed; it is None for one that is not.
        """
        now = self._clock.monotonic()
        if now < self._quiet_until:
            return
        self._quiet_until = now + _WARN_INTERVAL_S
        cause = find_cause() if find_cause else None
        self._logger.warning(
            "request refused: its signature is missing or wrong",
            path=route.path,
            signed=find_cause is not None,
            tried=self._public_urls,
            **({"cause": cause} if cause else {}),
            remedy="if Twilio sent it: set PUBLIC_URL to the URL that Twilio calls, without /twilio, and TWILIO_AUTH_TOKEN "
            "to the token of that account",
        )

    async def _write(self, events: Sequence[TranslatedEvent], route: Route) -> str:
        """Write all of `events` in their order; return the outcome: spooled before accepted before duplicate."""
        writes = []
        for one in events:
            topic = self._topic(one, route)
            writes.append((topic, one.event, self._write_event(topic, one.event)))
        if len(writes) > 1:
            await wait([write for _, _, write in writes])  # all of them, before the first failure is raised
        outcome: Stored | str = Stored.DUPLICATE
        failure: tuple[str, str] | None = None  # not the error: its traceback would keep the events
        for topic, event, write in writes:
            try:
                stored: Stored | str = await write
            except NotStoredError as error:
                failure, stored = (str(error), error.outcome), error.outcome
            EVENTS.count(topic, label_of(event.kind), stored)
            if self._detailed:
                self._note(topic, event, stored)
            outcome = stored if outcome is Stored.DUPLICATE or stored is Stored.SPOOLED else outcome
        if failure is not None:
            reason, failed = failure
            self.refusals.note(reason)
            raise Refusal(503, failed)
        return outcome

    def _note(self, topic: str, event: Event, outcome: str) -> None:
        about = {"event_id": event.id, "kind": event.kind, "topic": topic, **trace_fields(event.traceparent)}
        self._logger.debug("event received", **about, outcome=str(outcome))

    def _topic(self, one: TranslatedEvent, route: Route) -> str:
        topic = route.topic or one.kind.topic
        if not one.kind.sender:
            return topic
        sender = one.params.get(one.kind.sender, "")
        return BULK if self._senders.demotes(one.event.account, sender, route.rate) else topic


def _translate(webhook: Webhook, signer: str, route: Route) -> Sequence[TranslatedEvent]:
    try:
        return translate(webhook, signer, route.expected)
    except TooManyElementsError:
        raise Refusal(413, "too_many_events") from None
