"""Which routes are live, and the fallback of each."""

from collections.abc import Sequence
from typing import NamedTuple

from hookline_ingress.http.request import Reply
from hookline_ingress.routing.forward_paths import Paths
from hookline_ingress.routing.route_settings import RouteSettings
from hookline_ingress.routing.routes import Route, Routes
from hookline_shared.forwards import Forward, forward_of

_TWIML = "text/xml"


class LiveRoute(NamedTuple):
    """A route whose requests wait, its fallback, None if it has none, and whether events are handled for which nobody waits."""

    route: Route
    fallback: Reply | None
    runs_expired: bool


class LiveRoutes:
    """The live routes of `routes`, which it no longer finds: those of `settings` and of `forwards` that are live."""

    def __init__(self, routes: Routes, settings: Sequence[RouteSettings], forwards: Sequence[Forward]) -> None:
        own = {one.path: one for one in settings}
        found: dict[str, LiveRoute] = {}
        for path, route in routes.exact():
            if path in own:
                if own[path].live:
                    found[path] = _of_settings(route, own[path])
            elif (forward := forward_of(forwards, path)) is not None and forward.live and route.is_forwarded:
                found[path] = _of_forward(route, forward)
        below = {one: _of_forward(route, one) for one, route in routes.below() if one.live}
        routes.leave(found, below)
        self._routes: Paths[LiveRoute] = Paths(found)
        self._routes.add_below(list(below.items()))

    @property
    def exist(self) -> bool:
        """Whether there is any."""
        return bool(self._routes) or self._routes.has_below

    def find(self, target: str) -> Route | None:
        """Return the live route of a raw path and query."""
        found = self._routes[target.partition("?")[0]]
        return None if found is None else found.route

    def fallback(self, target: str) -> Reply | None:
        """Return the fallback of the live route of `target`, None if it has none."""
        found = self._routes[target.partition("?")[0]]
        return None if found is None else found.fallback

    def runs_expired(self, target: str) -> bool:
        """Whether events of the live route of `target` are handled when nobody waits for them any more."""
        found = self._routes[target.partition("?")[0]]
        return found is not None and found.runs_expired


def _of_settings(route: Route, settings: RouteSettings) -> LiveRoute:
    return LiveRoute(route, None if settings.fallback is None else settings.fallback.as_reply(), settings.expired == "run")


def _of_forward(route: Route, forward: Forward) -> LiveRoute:
    fallback = Reply(200, _TWIML, forward.fallback.encode()) if forward.fallback else None
    return LiveRoute(route, fallback, forward.expired == "run")
