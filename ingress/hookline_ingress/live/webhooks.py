"""The way of a request on a live route: as that of any other, and then it waits for its answer.

`docs/answering.md` has the states. Requests on other routes never come here.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from hookline_ingress.delivery import Delivery
from hookline_ingress.http.request import Reply, Request, Respond
from hookline_ingress.limits.guards import Guards
from hookline_ingress.live.answers import Answers
from hookline_ingress.live.hold_twiml import FALLBACK, Hold, bases_called, hold_in, hold_reply, without_hold
from hookline_ingress.live.routes import LiveRoutes
from hookline_ingress.live_settings import LiveSettings
from hookline_ingress.metrics import LATE_SECONDS, LIVE, LIVE_SECONDS
from hookline_ingress.refusals import Refusal, TokenMissing
from hookline_ingress.routing.routes import Route
from hookline_ingress.translation.translate import TranslatedEvent
from hookline_ingress.webhooks import Webhooks
from hookline_ingress.writer import Done, NotStored, Stored, Write
from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.kinds import kind_of
from hookline_shared.catalogue.sids import account_of
from hookline_shared.clock import Clock
from hookline_shared.event import Event, claim_for
from hookline_shared.live import Live, LiveAnswer, Place, caller_of, digest_of, is_call, marked, waits
from hookline_shared.observability.logs import Logger
from hookline_shared.partitions import partition_of

if TYPE_CHECKING:
    from hookline_ingress.signatures.token_provider import TokenProvider
    from hookline_ingress.tracing import RequestSpans

_HOOK_S: Final = 4.0
"""The longest that what is no call waits: Twilio waits 5 s for the answer of a hook."""
_ELEMENTS: Final = claim_for("elements")
"""What all elements of an array claim, see `claim_of`."""
_MOST_SIGNATURES: Final = 16
_CLOCKS_DIFFER_MS: Final = 60_000
_XML: Final = ("text/xml", "application/xml")


class LiveWebhooks(Webhooks):
    """Answers requests on live routes. `answers` has what handlers answer; `partitions` is their number.

    `write` stores events as on any other route, `write_live` those whose requests wait.
    """

    def __init__(
        self,
        routes: LiveRoutes,
        guards: Guards,
        write: Write,
        write_live: Write,
        public_urls: Sequence[str],
        answers: Answers,
        settings: LiveSettings,
        partitions: int,
        clock: Clock,
        logger: Logger,
        spans: "RequestSpans | None" = None,
        provider: "TokenProvider | None" = None,
    ) -> None:
        super().__init__(routes, guards, self._write_live, public_urls, clock, logger, spans, provider)
        self._live_routes = routes
        self._write_others, self._write_waiting = write, write_live
        self._answers = answers
        self._settings = settings
        self._public_urls = public_urls
        self._partitions = partitions

    def answer(self, request: Request, respond: Respond) -> None:
        """Answer a request on a live route, or of a call that comes back; refuse any other."""
        hold = hold_in(request)
        if hold is not None and self._is_past(hold):
            hold = None
        route = self._routes.find(request.target) if hold is not None else None
        if hold is None or route is None:
            self.handle([(request, respond)])
            return
        delivery = Delivery(request, route, respond, self._proxies.client(request))
        missing = self._go_on(delivery, hold, answered=True)
        if missing and self._provider is not None:
            self._provider.ask_for(missing, partial(self._go_on, delivery, hold), delivery.address)

    def _is_past(self, hold: Hold) -> bool:
        """Whether nobody waits for the answer any more, who comes back within seconds, and it is not kept either.

        Then the call has gone on from there: an empty `<Redirect>` leads to the URL of its document, with the hold.
        """
        return self._clock.now_ms() - hold.since_ms > Live(self._settings.hold_s).life_ms

    def _write_live(self, topic: str, event: Event, done: Done) -> None:
        write = self._write_waiting if _waits(event) else self._write_others
        write(topic, self._marked(event), done)

    def _marked(self, event: Event) -> Event:
        """Return `event` as it is stored: if its request waits, with the mark."""
        if not _waits(event):
            return event
        live = Live(self._settings.hold_s, self._live_routes.runs_expired(event.target))
        return replace(event, dedupe_key=marked(event.dedupe_key, live))

    def _topic(self, one: TranslatedEvent, route: Route) -> str:
        """Return the topic. A caller who waits is not sent to the end of another one."""
        return (route.topic or one.kind.topic) if waits(one.kind) else super()._topic(one, route)

    def _stored(self, delivery: Delivery, topic: str, event: Event, stored: Stored | NotStored) -> None:
        if not _waits(event):
            super()._stored(delivery, topic, event, stored)
            return
        delivery.left -= 1
        self._leave(delivery)
        try:
            self._note_stored(delivery, topic, event, stored)
            self._await_answer(delivery, event, stored)
        except Exception:
            self._logger.exception("a request failed inside ingress")
            self._fall_back(delivery, "failed")

    def _await_answer(self, delivery: Delivery, event: Event, stored: Stored | NotStored) -> None:
        if isinstance(stored, NotStored):
            self.refusals.note(stored.message)
            self._fall_back(delivery, stored.outcome)
            return
        if stored is Stored.REUSED and _is_call(delivery.kind):  # a caller in a fast loop; an attacker hears nothing new
            self._note_reuse(delivery)
            self._fall_back(delivery, stored)
            return
        if stored is Stored.REUSED:
            super()._finish(delivery)
            return
        if stored is Stored.NEW:
            self._addresses.accepted(delivery.address)
        event = self._marked(event)
        place = Place(partition_of(event.key, self._partitions), digest_of(event.dedupe_key))
        hold = Hold(place, event.received_at)
        event_id = event.id if stored is Stored.NEW else ""
        self._wait(delivery, hold, caller_of(event), event_id, at_once=stored is Stored.SPOOLED)

    def _go_on(self, delivery: Delivery, hold: Hold, *, answered: bool) -> Sequence[str]:
        """Go on with a call that comes back; return the accounts whose tokens have to be asked for, as `_accept_later` does."""
        if not answered:
            self._refuse(delivery, 503, "no_token")
            return ()
        try:
            webhook, _ = self._verifier.verify(delivery.request, delivery.route, delivery.address)
        except Refusal as refusal:
            self._refuse(delivery, refusal.status, refusal.outcome)
            return ()
        except TokenMissing as missing:
            return missing.accounts
        delivery.kind = kind_of("call.received")
        caller = (webhook.params.get("CallSid", ""), account_of(webhook.params))
        ago_ms = self._clock.now_ms() - hold.since_ms
        if hold.place.partition >= self._partitions or ago_ms < -_CLOCKS_DIFFER_MS:
            self._fall_back(delivery, "foreign")
        else:
            self._wait(delivery, hold, caller)
        return ()

    def _wait(
        self, delivery: Delivery, hold: Hold, caller: tuple[str, str], event_id: str = "", *, at_once: bool = False
    ) -> None:
        """Let a request wait for its answer, unless too many do: then it is held at once."""
        done = partial(self._answered, delivery, hold, caller)
        if at_once or self._answers.is_stopped or self._answers.waiting >= self._settings.max_waiting:
            done(None)
            return
        seconds = self._settings.wait_s if _is_call(delivery.kind) else min(self._settings.wait_s, _HOOK_S)
        self._answers.wait(hold.place, seconds, done, event_id)

    def _answered(self, delivery: Delivery, hold: Hold, caller: tuple[str, str], answer: LiveAnswer | None) -> None:
        """Reply with the answer; without one, hold the call, or fall back."""
        if answer is None:
            self._hold(delivery, hold)
        elif (answer.call, answer.account) != caller:
            self._fall_back(delivery, "foreign")
        elif answer.outcome == "failed":
            self._fall_back(delivery, "fell_back")
        else:
            if (again := hold_in(delivery.request)) is not None and again.since_ms == hold.since_ms:
                LATE_SECONDS.observe((self._clock.now_ms() - hold.since_ms) / 1000)
            is_reply = answer.outcome == "reply"
            reply = Reply(answer.status, answer.content_type, answer.body.encode()) if is_reply else None
            self._reply(delivery, reply or delivery.route.reply_to(delivery.kind), "answered")

    def _hold(self, delivery: Delivery, hold: Hold) -> None:
        if not _is_call(delivery.kind) or self._clock.now_ms() - hold.since_ms >= self._settings.hold_s * 1000:
            self._fall_back(delivery, "fell_back")
            return
        target = without_hold(delivery.request.target)
        self._reply(delivery, hold_reply(hold, self._base_called(delivery), target), "held")

    def _base_called(self, delivery: Delivery) -> str:
        """Return the base URL for which the request is signed: at another one, maybe nobody answers a call that comes back."""
        request, route = delivery.request, delivery.route
        bases = bases_called(self._proxies.base(request), request.headers.get("Host", ""), self._public_urls)
        if len(bases) == 1:
            return bases[0]
        signature = route.verifier.signature_of(request.headers)
        webhook = route.decode(request, signature, self._clock.now_ms())
        valid = route.verifier.valid_url(webhook, [f"{base}{request.target}" for base in bases], _MOST_SIGNATURES)
        return valid.removesuffix(request.target) if valid else bases[0]

    def _fall_back(self, delivery: Delivery, outcome: str) -> None:
        """Reply with the fallback of the route. For a call it is always TwiML."""
        reply = self._live_routes.fallback(delivery.request.target)
        if _is_call(delivery.kind):
            is_twiml = reply is not None and reply.content_type.startswith(_XML)
            self._reply(delivery, reply if reply is not None and is_twiml else FALLBACK, outcome)
        else:
            self._reply(delivery, reply or delivery.route.reply_to(delivery.kind), outcome)

    def _reply(self, delivery: Delivery, reply: Reply, outcome: str) -> None:
        LIVE.count(outcome)
        self._answer(delivery, reply, outcome)
        LIVE_SECONDS.observe(self._clock.monotonic() - delivery.request.began)  # just as the connection does


def _waits(event: Event) -> bool:
    """Whether the request of `event` waits for its answer. One that makes several events, or could, gets none."""
    kind = kind_of(event.kind)
    return kind is not None and waits(kind) and event.claim != _ELEMENTS


def _is_call(kind: Kind | None) -> bool:
    return kind is not None and is_call(kind.name)
