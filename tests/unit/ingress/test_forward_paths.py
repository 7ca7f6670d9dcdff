"""The paths of forwards at ingress."""

import pytest
from multidict import CIMultiDict

from hookline_ingress.http.request import Request
from hookline_ingress.refusals import Refusal
from hookline_ingress.routing.forward_paths import FORWARDED
from hookline_ingress.routing.route_settings import RouteSettings
from hookline_ingress.routing.routes import Routes
from hookline_ingress.signatures.secrets import Secret
from hookline_ingress.signatures.twilio import Keyring
from hookline_ingress.translation.webhook import decode
from hookline_processor.forward.request import EVENT_HEADER
from hookline_shared.forwards import Forward

KEYRING = Keyring([Secret("token1", b"12345")], ["https://hooks.example.com"])
APP = Forward(path="/app", url="http://a")
EVERYTHING = Forward(path="/", url="http://b")


def routes(*forwards: Forward, added: tuple[RouteSettings, ...] = ()) -> Routes:
    return Routes(KEYRING, None, 1000, added, forwards)


def test_paths_below_a_forward_exist() -> None:
    """And have its path, whatever they are: labels of metrics are bounded. Others are found as before."""
    found = routes(APP)
    for target in ("/app", "/app/", "/app/x/y?z=/other"):
        route = found.find(target)
        assert route is not None
        assert route.path == "/app"
    assert found.find("/apple") is None
    assert found.find("/twilio").decode is decode  # type: ignore[union-attr]


def test_longest_path_and_built_in_paths_win() -> None:
    """A forward of everything takes what has no route of its own."""
    found = routes(EVERYTHING, APP)
    paths = {target: route.path for target in ("/x", "/app/x", "/twilio/status", "/") if (route := found.find(target))}
    assert paths == {"/x": "/", "/app/x": "/app", "/twilio/status": "/twilio/status", "/": "/"}


def test_route_of_the_same_path_applies_below_it() -> None:
    """Topic and limits of [[routes]] hold for what is forwarded, too."""
    route = routes(APP, added=(RouteSettings(path="/app", topic="bulk"),)).find("/app/x")
    assert route is not None
    assert route.topic == "bulk"


@pytest.mark.parametrize("target", ["/app/x", "/twilio", "/"])
def test_forwarded_webhook_is_not_forwarded_again(target: str) -> None:
    """Wherever the circle begins. The processor understands 508."""
    assert FORWARDED == EVENT_HEADER
    route = routes(EVERYTHING, APP).find(target)
    assert route is not None
    headers = CIMultiDict({"Content-Type": "application/x-www-form-urlencoded"})
    assert route.decode(Request("POST", target, headers, b"a=1", "", 0), "signature", 0).params == {"a": "1"}
    headers[FORWARDED.lower()] = "id"
    with pytest.raises(Refusal) as raised:
        route.decode(Request("POST", target, headers, b"a=1", "", 0), "signature", 0)
    assert raised.value.status == 508


def test_without_forwards_nothing_changes() -> None:
    """An unknown path is unknown."""
    assert routes().find("/x") is None
