"""Paths of one's own: `[[routes]]` in the TOML file."""

from pathlib import Path

import pytest

from hookline_ingress.http.replies import EMPTY_TWIML, NO_CONTENT
from hookline_ingress.http.request import Reply
from hookline_ingress.limits.rates import Rate
from hookline_ingress.routing.route_settings import LARGEST_JSON
from hookline_ingress.routing.routes import PATHS, Routes
from hookline_ingress.settings import IngressSettings
from hookline_ingress.signatures.secrets import parse_secrets
from hookline_ingress.signatures.twilio import Keyring
from hookline_shared.catalogue.products.messaging import MESSAGE_RECEIVED, MESSAGE_STATUS
from hookline_shared.catalogue.products.streams import EVENT_STREAM, STUDIO
from hookline_shared.catalogue.products.voice import CALL_RECEIVED
from hookline_shared.errors import SettingsError
from hookline_shared.settings.config_file import CONFIG_VARIABLE
from hookline_shared.topics import BULK, CALLS

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GREETING = "<Response><Say>Hello</Say></Response>"


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "hookline.toml"
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))
    monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "12345")
    return file


def routes_of(config_file: Path, text: str) -> Routes:
    """Return the routes of an ingress whose configuration is `text`."""
    config_file.write_text(text)
    settings = IngressSettings.load()
    keyring = Keyring(parse_secrets(settings.auth_tokens), settings.public_urls)
    return Routes(keyring, None, settings.max_body, settings.routes)


def test_route_of_ones_own(config_file: Path) -> None:
    """Everything about a path can be said; what is left out is as at /twilio."""
    routes = routes_of(
        config_file,
        f"""
        [[routes]]
        path = "/tenants/%C3%BC/calls"
        kind = "studio"
        topic = "{CALLS}"
        reply = "{GREETING}"
        max_body = 2_000_000
        sender_rate = 0.5

        [[routes]]
        path = "/plain"

        [[routes]]
        path = "/silent"
        reply = ""
        sender_rate = 2
        sender_burst = 3
        """,
    )
    own, plain, silent = (routes.find(path) for path in ("/tenants/%C3%BC/calls?tenant=1", "/plain", "/silent?"))
    assert own is not None
    assert plain is not None
    assert silent is not None
    assert (own.expected, own.topic, own.rate) == (STUDIO, CALLS, Rate(0.5, 5))
    assert own.reply_to(MESSAGE_STATUS) == Reply(200, "text/xml", GREETING.encode())
    assert (routes.body_limit(own.path, FORM), routes.body_limit(own.path, {})) == (2_000_000,) * 2
    assert (plain.expected, plain.topic, plain.rate) == (None, None, None)
    assert (plain.reply_to(CALL_RECEIVED), plain.reply_to(MESSAGE_STATUS)) == (EMPTY_TWIML, NO_CONTENT)
    assert (routes.body_limit("/plain", FORM), routes.body_limit("/plain", {})) == (1 << 18, LARGEST_JSON)
    assert (silent.reply_to(MESSAGE_RECEIVED), silent.rate) == (NO_CONTENT, Rate(2, 3))
    for path in ("/tenants/%c3%bc/calls", "/tenants/ü/calls", "/Plain", "/plain/", "plain", ""):
        assert routes.find(path) is None, "paths are taken to the letter"


def test_route_that_exists_is_changed(config_file: Path) -> None:
    """A built-in path can be given again: what is said changes, what is not stays, and so do the other paths."""
    routes = routes_of(config_file, '[[routes]]\npath = "/twilio/events"\ntopic = "bulk"\nmax_body = 100')
    events = routes.find("/twilio/events")
    assert events is not None
    assert (events.expected, events.topic, routes.body_limit("/twilio/events", {})) == (EVENT_STREAM, BULK, 100)
    others = [route for path in PATHS if path != "/twilio/events" and (route := routes.find(path))]
    assert [(route.path, route.expected, route.topic) for route in others] == [
        (path, kind, None) for path, kind in PATHS.items() if path != "/twilio/events"
    ]


REPLIES = {
    '{ body = \'{"instruction": "accept"}\' }': Reply(200, "application/json", b'{"instruction": "accept"}'),
    "{ status = 403 }": Reply(403),
    "{ status = 204 }": NO_CONTENT,
    '{ status = 200, type = "application/json; charset=utf-8", body = "[]" }': Reply(
        200, "application/json; charset=utf-8", b"[]"
    ),
    '{ type = "text/xml", body = "<Response/>" }': EMPTY_TWIML,
    '"<Response/>"': EMPTY_TWIML,
    '""': NO_CONTENT,
}


@pytest.mark.parametrize(("text", "reply"), REPLIES.items(), ids=REPLIES)
def test_replies(config_file: Path, text: str, reply: Reply) -> None:
    """A route can answer with TwiML, or with any status, type and body."""
    route = routes_of(config_file, f'[[routes]]\npath = "/in"\nreply = {text}\n').find("/in")
    assert route is not None
    assert route.reply_to(MESSAGE_RECEIVED) == reply


MISTAKES = {
    "429": ('path = "/in"\nreply = { status = 429 }', "route 1 (/in): reply: status: Twilio does not support 429"),
    "redirect": (
        'path = "/in"\nreply = { status = 302 }',
        "reply: status: Twilio cannot use the status 302; use 2xx",
    ),
    "no status": ('path = "/in"\nreply = { status = 299 }', "route 1 (/in): reply: status: there is no HTTP status 299"),
    "body of a 204": (
        'path = "/in"\nreply = { status = 204, body = "{}" }',
        "route 1 (/in): reply: body: a 204 has no body; use 200",
    ),
    "body of a 205": (
        'path = "/in"\nreply = { status = 205, body = "{}" }',
        "route 1 (/in): reply: body: a 205 has no body; use 200",
    ),
    "NaN": ('path = "/in"\nreply = { body = \'{"n": NaN}\' }', "reply: body: it is not JSON: NaN is no value of JSON"),
    "Infinity": ('path = "/in"\nreply = { body = "-Infinity" }', "reply: body: it is not JSON: -Infinity is no value of JSON"),
    "type that is not ASCII": (
        'path = "/in"\nreply = { type = "text/ü", body = "x" }',
        "reply: type: it must be a content type",
    ),
    "broken JSON": ('path = "/in"\nreply = { body = "{" }', "route 1 (/in): reply: body: it is not JSON: "),
    "text/plain": (
        'path = "/in"\nreply = { type = "text/plain", body = "Hi" }',
        "reply: type: text/plain is never a reply",
    ),
    "unknown part": (
        'path = "/in"\nreply = { text = "Hi" }',
        "reply: text: there is no such key; the keys are status, type",
    ),
    "type with a line": (
        'path = "/in"\nreply = { type = "a/b\\r\\nX: y", body = "{}" }',
        "reply: type: it must be a content",
    ),
    "list": ('path = "/in"\nreply = ["Hi"]', "route 1 (/in): reply: it must be TwiML, or a table such as"),
    "no slash": ('path = "in"', "route 1 (in): path: a path must begin with /"),
    "a query": ('path = "/in?a=1"', "route 1 (/in?a=1): path: a path must begin with / and have no query or"),
    "a space": ('path = "/in and out"', "route 1 (/in and out): path: a path must begin with /"),
    "not ASCII": ('path = "/ü"', "route 1 (/ü): path: a path must begin with / and have no query or fragment; write it"),
    "no path": ('topic = "calls"', "route 1 (no path): path: it is missing"),
    "unknown kind": (
        'path = "/in"\nkind = "teapot"',
        "route 1 (/in): kind: there is no kind teapot; the kinds are message.received,",
    ),
    "unknown topic": ('path = "/in"\ntopic = "a"', "route /in: there is no topic a; the topics are messages,"),
    "unknown key": ('path = "/in"\nkinds = "a"', "route 1 (/in): kinds: there is no such key; the keys are path, kind, topic,"),
    "text": ('path = "/in"\nreply = "Hello"', "route 1 (/in): reply: it is not XML: "),
    "broken XML": ('path = "/in"\nreply = "<Response>"', "route 1 (/in): reply: it is not XML: no element found"),
    "no TwiML": ('path = "/in"\nreply = "<html/>"', "route 1 (/in): reply: TwiML is a <Response>, not a <html>"),
    "long TwiML": (
        f'path = "/in"\nreply = "<Response>{"x" * 64_000}</Response>"',
        "route 1 (/in): reply: Twilio accepts no TwiML above 64 kB",
    ),
    "no size": ('path = "/in"\nmax_body = 0', "route 1 (/in): max_body: it must be a whole number from 1 to 16777216"),
    "no number": ('path = "/in"\nsender_rate = "fast"', "route 1 (/in): sender_rate: it must be a number of at least 0"),
    "kind of SendGrid": (
        'path = "/sendgrid"\nkind = "studio"',
        "route 1 (/sendgrid): kind: /sendgrid tells its kinds itself: leave it out",
    ),
    "burst alone": ('path = "/in"\nsender_burst = 5', "route 1 (/in): sender_burst: it needs a sender_rate"),
    "twice": ('path = "/in"\n[[routes]]\npath = "/out"\n[[routes]]\npath = "/in"', "there are 2 routes for /in"),
    "several": ('path = "a"\n[[routes]]\npath = "/b"\nkind = "c"', "route 2 (/b): kind: there is no kind c;"),
}


@pytest.mark.parametrize(("text", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_in_a_route(config_file: Path, text: str, problem: str) -> None:
    """A mistake is reported in one line that names the route, the key, and what would be right."""
    with pytest.raises(SettingsError) as caught:
        routes_of(config_file, f"[[routes]]\n{text}\n")
    (line,) = caught.value.problems
    assert line.startswith("ROUTES is wrong: ")
    assert problem in line


def test_routes_in_the_environment(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that happens to have that name is explained like any other mistake."""
    monkeypatch.setenv("ROUTES", "/in")
    with pytest.raises(SettingsError, match="ROUTES is wrong: it must be a list of tables"):
        routes_of(config_file, "")


@pytest.mark.parametrize("text", ["routes = 1", 'routes = "/in"', '[routes]\npath = "/in"'])
def test_routes_that_are_none(config_file: Path, text: str) -> None:
    """A table instead of a list of them, the likeliest slip, is explained."""
    with pytest.raises(
        SettingsError, match=r"ROUTES is wrong: it must be a list of tables, each with the header \[\[routes\]\]"
    ):
        routes_of(config_file, text)
