"""The way of one request: read, verify, translate, write, reply."""

from functools import lru_cache

from aiohttp import web
from aiohttp.web_request import BaseRequest

from ingress import catalogue, replies
from ingress.metrics import REQUEST_SECONDS, count_request, count_signer
from ingress.routes import ROUTES, Route
from ingress.signature import Keyring
from ingress.writer import Writer
from shared.broker.append import Appended
from shared.clock import Clock
from shared.errors import BrokerUnavailableError
from shared.event import Event, new_event_id
from shared.forms import FORM, Form, parse_form
from shared.logs import Logger
from shared.metrics import count_event


class Refusal(Exception):
    """A request that is not accepted. `status` is the HTTP status, `outcome` the reason for the metrics."""

    def __init__(self, status: int, outcome: str) -> None:
        super().__init__(outcome)
        self.status = status
        self.outcome = outcome


class Webhooks:
    """Answers Twilio. A 2xx means that the event is verified and in Redis, now or since an earlier delivery."""

    def __init__(
        self, keyring: Keyring, writer: Writer, max_body: int, max_in_flight: int, clock: Clock, logger: Logger
    ) -> None:
        """Take the parts. `max_body` is in bytes, `max_in_flight` counts requests whose body has come."""
        self._keyring = keyring
        self._writer = writer
        self._clock = clock
        self._max_body = max_body
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._logger = logger
        self._quiet_until = 0.0

    async def handle(self, request: BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever it is."""
        started = self._clock.monotonic()
        path = request.raw_path.partition("?")[0]
        route = ROUTES.get(path)
        try:
            kind, outcome = await self._accept(request, route)
            response = replies.accepted(kind, request)
        except Refusal as refusal:
            response, outcome = replies.refused(refusal.status), refusal.outcome
        count_request(route.path if route else "none", response.status, outcome).inc()
        REQUEST_SECONDS.observe(self._clock.monotonic() - started)
        return response

    async def _accept(self, request: BaseRequest, route: Route | None) -> tuple[catalogue.Kind, str]:
        """Give the kind of the event in `request`, and whether it is a new one, once it is in Redis."""
        expected = self._check_head(request, route)
        body, form = await self._read(request)
        if self._in_flight >= self._max_in_flight:  # counted from here, so that a body that never comes holds no place
            raise Refusal(503, "overloaded")
        self._in_flight += 1
        try:
            kind, event = self._verified_event(request, expected, body, form)
            return kind, await self._write(kind, event)
        finally:
            self._in_flight -= 1

    def _verified_event(
        self, request: BaseRequest, expected: catalogue.Kind | None, body: bytes, form: Form
    ) -> tuple[catalogue.Kind, Event]:
        """Verify the request, then give the event that it is, and its kind."""
        params = dict(form)
        signature, signer = self._verify(request, form, params)
        kind = catalogue.tell(params, expected)
        facts = catalogue.Request(request.raw_path, params, form)
        now_ms = self._clock.now_ms()
        return kind, Event(
            id=new_event_id(now_ms),
            kind=kind.name,
            key=catalogue.ordering_key(kind, facts),
            dedupe_key=catalogue.dedupe_key(kind, facts),
            received_at=now_ms,
            account=params.get("AccountSid", ""),
            content_type=_text(request.headers.get("Content-Type", "")),
            target=request.raw_path,
            body=body,
            signature=signature,
            signer=signer,
            traceparent=_text(request.headers.get("traceparent", "")),
        )

    def _check_head(self, request: BaseRequest, route: Route | None) -> catalogue.Kind | None:
        if route is None:
            raise Refusal(404, "unknown_path")
        if request.method != "POST":
            raise Refusal(405, "wrong_method")
        if "Expect" in request.headers:
            raise Refusal(417, "expectation")  # nobody is told to go on; Twilio does not ask
        if not _is_form(request.headers.get("Content-Type", "")):
            raise Refusal(415, "wrong_content_type")
        if (request.content_length or 0) > self._max_body:
            raise Refusal(413, "too_large")
        return route.expected

    async def _read(self, request: BaseRequest) -> tuple[bytes, Form]:
        try:
            request.raw_path.encode()  # a target that is not UTF-8 could neither be signed nor stored
            body = await request.read()
            return body, parse_form(body)
        except web.HTTPRequestEntityTooLarge:
            raise Refusal(413, "too_large") from None
        except (ValueError, web.RequestPayloadError, ConnectionError):
            raise Refusal(400, "unparsable") from None

    def _verify(self, request: BaseRequest, form: Form, params: catalogue.Params) -> tuple[str, str]:
        signature = request.headers.get("X-Twilio-Signature", "")
        account = params.get("AccountSid", "")
        signer = self._keyring.verify(request.raw_path, form, account, signature.encode(errors="replace"))
        if signer is None:
            self._warn_of_refusal(request, signed=bool(signature))
            raise Refusal(403, "bad_signature" if signature else "no_signature")
        count_signer(signer).inc()
        return signature, signer

    def _warn_of_refusal(self, request: BaseRequest, *, signed: bool) -> None:
        """Say at most once a minute that requests are refused: it is what a wrong PUBLIC_URL or token looks like."""
        now = self._clock.monotonic()
        if now < self._quiet_until:
            return
        self._quiet_until = now + _WARN_INTERVAL_S
        self._logger.warning(
            "a request was refused, its signature is missing or wrong",
            path=request.raw_path.partition("?")[0],
            signed=signed,
            tried=self._keyring.public_urls,
            remedy="if Twilio sent it: PUBLIC_URL must be what Twilio calls, up to but without /twilio, and "
            "TWILIO_AUTH_TOKEN the token of that account",
        )

    async def _write(self, kind: catalogue.Kind, event: Event) -> str:
        try:
            appended = await self._writer.write(kind.topic, event)
        except BrokerUnavailableError:
            raise Refusal(503, "redis_unavailable") from None
        outcome = _OUTCOMES[appended]
        count_event(kind.topic, kind.name, outcome).inc()
        if appended is Appended.FULL:
            raise Refusal(503, outcome)
        return outcome


_WARN_INTERVAL_S = 60.0

_OUTCOMES = {Appended.NEW: "accepted", Appended.DUPLICATE: "duplicate", Appended.FULL: "backlog_full"}


def _text(header: str) -> str:
    """Give `header` without the bytes that are not UTF-8; those parts of a request are not covered by its signature."""
    return header if header.isascii() else header.encode(errors="replace").decode()


@lru_cache(maxsize=64)
def _is_form(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == FORM
