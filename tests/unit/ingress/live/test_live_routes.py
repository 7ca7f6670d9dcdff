"""Which routes are live."""

import pytest

from hookline_ingress.http.request import Reply
from hookline_ingress.live.routes import LiveRoutes
from hookline_ingress.routing.route_settings import RouteSettings
from hookline_ingress.routing.routes import Routes
from hookline_ingress.signatures.secrets import Secret
from hookline_ingress.signatures.twilio import Keyring
from hookline_shared.forwards import Forward
from hookline_shared.validation import InvalidError, read_table

KEYRING = Keyring([Secret("token1", b"12345")], ["https://hooks.example.com"])
FALLBACK = "<Response><Reject/></Response>"


def built(*forwards: Forward, added: tuple[RouteSettings, ...] = ()) -> tuple[Routes, LiveRoutes]:
    routes = Routes(KEYRING, None, 1000, added, forwards)
    return routes, LiveRoutes(routes, added, forwards)


def found(target: str, routes: Routes, live: LiveRoutes) -> tuple[bool, bool]:
    """Return whether `target` is found among the others, and among the live ones."""
    return routes.find(target) is not None, live.find(target) is not None


def test_live_route_is_left_to_the_live_ones() -> None:
    """Others stay where they are, and its body limit still counts."""
    settings = read_table(RouteSettings, {"path": "/voice", "live": True, "fallback": FALLBACK, "max_body": 7})
    routes, live = built(added=(settings, RouteSettings(path="/other")))
    assert live.exist
    assert found("/voice?x=1", routes, live) == (False, True)
    assert found("/other", routes, live) == found("/twilio", routes, live) == (True, False)
    assert live.fallback("/voice") == Reply(200, "text/xml", FALLBACK.encode())
    assert not live.runs_expired("/voice")
    assert routes.body_limit("/voice", {}) == 7
    assert routes.body_limit("/nothing", {}) is None


def test_live_forward_takes_the_built_in_paths_that_it_covers() -> None:
    """Unless a route of the user says otherwise."""
    live_one = Forward(path="/", url="http://a", expired="run", fallback=FALLBACK)
    other = Forward(path="/plain", url="http://b", live=False)
    routes, live = built(live_one, other, added=(RouteSettings(path="/own"),))
    for target in ("/", "/x/y", "/twilio", "/twilio/voice?a=1"):
        assert found(target, routes, live) == (False, True)
    for target in ("/plain", "/plain/x", "/own"):
        assert routes.find(target) is not None  # so the live ones are not asked
    assert live.runs_expired("/x")
    assert live.fallback("/x") == Reply(200, "text/xml", FALLBACK.encode())


def test_without_live_routes() -> None:
    """Nothing is taken away."""
    routes, live = built(Forward(path="/app", url="http://a", live=False))
    assert not live.exist
    assert found("/app/x", routes, live) == (True, False)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"fallback": FALLBACK}, "it needs live = true"),
        ({"expired": "run"}, "it needs live = true"),
        ({"live": True, "kind": "message.received"}, "replies to messages are sent"),
        ({"live": True, "fallback": "<Response>"}, "it is not XML"),
        ({"live": True, "expired": "never"}, "it must be settle or run"),
    ],
)
def test_contradictions(table: dict[str, object], problem: str) -> None:
    """Each is named before anything starts."""
    with pytest.raises(InvalidError, match=problem):
        read_table(RouteSettings, {"path": "/voice", **table})
