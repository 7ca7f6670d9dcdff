"""The paths of webhooks, and the properties of each."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from hookline_ingress.http.replies import EMPTY_TWIML, NO_CONTENT
from hookline_ingress.http.request import Reply, Request
from hookline_ingress.limits.rates import Rate
from hookline_ingress.routing.forward_paths import Paths, unless_forwarded
from hookline_ingress.routing.route_settings import LARGEST_JSON, SENDGRID_PATH, RouteSettings
from hookline_ingress.signatures.twilio import Verifier
from hookline_ingress.translation.webhook import Webhook, decode, decode_sendgrid
from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.kind import Reply as Answer
from hookline_shared.catalogue.kinds import KINDS
from hookline_shared.catalogue.products.email import SENDGRID_EVENT
from hookline_shared.catalogue.products.streams import EVENT_STREAM, STUDIO
from hookline_shared.forwards import Forward
from hookline_shared.parsing.json_body import is_form

PATHS: Final[Mapping[str, Kind | None]] = {
    "/twilio": None,
    "/twilio/message": None,
    "/twilio/status": None,
    "/twilio/voice": None,
    "/twilio/call-status": None,
    "/twilio/recording": None,
    "/twilio/transcription": None,
    "/twilio/conversation": None,
    "/twilio/taskrouter": None,
    "/twilio/verify": None,
    "/twilio/sync": None,
    "/twilio/studio": STUDIO,
    "/twilio/debugger": None,
    "/twilio/events": EVENT_STREAM,
}
"""The paths for Twilio. Each accepts any kind, which is recognised by its parameters; only webhooks of Studio and Event Streams
may lack those."""


class Route(NamedTuple):
    """One path. `expected` is the kind of webhooks that are not recognised by their parameters; None means `unknown`.

    `topic`, `reply` and `rate` are None if those of the kind and of the settings apply. `largest_form` and `largest_json` are
    the largest bodies in bytes. `decode` reads the requests that `verifier` verifies.
    """

    path: str
    expected: Kind | None
    verifier: Verifier
    largest_form: int
    largest_json: int
    topic: str | None = None
    reply: Reply | None = None
    rate: Rate | None = None
    decode: Callable[[Request, str, int], Webhook] = decode
    is_forwarded: bool = False

    def reply_to(self, kind: Kind | None) -> Reply:
        """Return the reply to an event of `kind` that is stored: empty TwiML if Twilio expects TwiML, else 204."""
        if self.reply is not None:
            return self.reply
        return EMPTY_TWIML if kind is not None and kind.reply is Answer.TWIML else NO_CONTENT

    def refusal_status(self, status: int, headers: Mapping[str, str]) -> int:
        """Return the status of a refusal that is `status` for anybody else than Twilio.

        Event Streams and SendGrid discard a delivery for good after most 4xx, and repeat it for hours after a 5xx, in which a
        wrong token or a limit that is too low can be fixed. So a refusal that may be our fault is a 5xx there.
        """
        is_lost = self.expected is not None and self.expected.lost_after_4xx and bool(self.verifier.signature_of(headers))
        return 503 if is_lost and status in (403, 413) else status

    def admits(self, length: int, headers: Mapping[str, str]) -> bool:
        """Whether a body of `length` bytes is not too large."""
        return (length <= self.largest_form and length <= self.largest_json) or length <= self.body_limit(
            headers.get("Content-Type", "")
        )

    def body_limit(self, content_type: str) -> int:
        """Return the largest body in bytes."""
        return self.largest_form if is_form(content_type) else self.largest_json


class FindRoute(Protocol):
    """Finds routes by their paths."""

    def find(self, target: str) -> Route | None:
        """Return the route of a raw path and query, None if there is none."""
        ...


class Routes:
    """All paths: the built-in ones, /sendgrid if there is a verifier for it, and those of the user, `added`, which win.

    All paths below those of `forwards` exist as well.
    """

    def __init__(
        self,
        twilio: Verifier,
        sendgrid: Verifier | None,
        max_body: int,
        added: Iterable[RouteSettings] = (),
        forwards: Sequence[Forward] = (),
    ) -> None:
        largest_json = max(max_body, LARGEST_JSON)
        routes = [Route(path, kind, twilio, max_body, largest_json) for path, kind in PATHS.items()]
        if sendgrid is not None:
            routes.append(Route(SENDGRID_PATH, SENDGRID_EVENT, sendgrid, max_body, largest_json, decode=decode_sendgrid))
        self._live: Paths[Route] = Paths({})
        self._by_path: Paths[Route] = Paths({route.path: route for route in routes})
        self._by_path |= {one.path: self._customised(one) for one in added}
        if forwards:
            self._forward(forwards)

    def find(self, target: str) -> Route | None:
        """Return the route of a raw path and query."""
        return self._by_path[target.partition("?")[0]]

    def body_limit(self, target: str, headers: Mapping[str, str]) -> int | None:
        """Return the largest body in bytes of a request to `target`; None if there is no such path."""
        route = self.find(target)
        return route.body_limit(headers.get("Content-Type", "")) if route else self._live_body_limit(target, headers)

    def status_if_too_large(self, target: str, headers: Mapping[str, str]) -> int:
        """Return the status of the reply to a request to `target` whose body is too large."""
        route = self.find(target)
        return route.refusal_status(413, headers) if route else 413

    def exact(self) -> Sequence[tuple[str, Route]]:
        """Return every path with a route of its own."""
        return list(self._by_path.items())

    def below(self) -> Sequence[tuple[Forward, Route]]:
        """Return the routes of all paths that belong to forwards."""
        return list(self._by_path.below().items())

    def leave(self, paths: Collection[str], forwards: Collection[Forward]) -> None:
        """Leave the routes of `paths`, and those below `forwards`, to live ones: they are not found here any more."""
        self._live = Paths({path: self._by_path.pop(path) for path in paths})
        below = self.below()
        self._live.add_below([(one, route) for one, route in below if one in forwards])
        self._by_path.add_below([(one, None if one in forwards else route) for one, route in below])

    def _live_body_limit(self, target: str, headers: Mapping[str, str]) -> int | None:
        route = self._live[target.partition("?")[0]]
        return route.body_limit(headers.get("Content-Type", "")) if route else None

    def _forward(self, forwards: Sequence[Forward]) -> None:
        """Add the paths of `forwards`. Those that are there already are forwarded as they are."""
        usual = self._by_path.get("/twilio")
        assert usual is not None  # noqa: S101 - it is built in
        for path, route in list(self._by_path.items()):
            if route.decode is decode and any(one.covers(path) for one in forwards):
                self._by_path[path] = route._replace(decode=unless_forwarded(decode), is_forwarded=True)
        below = [(one, usual._replace(path=one.path, decode=unless_forwarded(decode), is_forwarded=True)) for one in forwards]
        self._by_path.add_below([(one, self._by_path.get(one.path) or route) for one, route in below])

    def _customised(self, settings: RouteSettings) -> Route:
        """Return the route that `settings` describe; for a built-in path, what they leave out stays as it is."""
        known = self._by_path.get(settings.path) or self._by_path["/twilio"]._replace(path=settings.path)
        largest = settings.max_body
        reply, rate = settings.as_reply(), settings.rate()
        return known._replace(
            expected=KINDS[settings.kind] if settings.kind and known.decode is decode else known.expected,
            topic=settings.topic or known.topic,
            reply=known.reply if reply is None else reply,
            rate=known.rate if rate is None else rate,
            largest_form=largest or known.largest_form,
            largest_json=largest or known.largest_json,
        )
