"""Which webhooks go on to which app, and to which URL."""

from typing import Any

import pytest

from hookline_shared.forwards import Forward, forward_of, with_url
from hookline_shared.settings.base import SharedSettings
from hookline_shared.validation import Read, field_of


def read(*tables: dict[str, Any]) -> tuple[Forward, ...]:
    found: tuple[Forward, ...] = field_of(SharedSettings, "forward").read(list(tables))
    return found


APPS = read({"path": "/app/", "url": "https://App.internal/x"}, {"path": "/app/admin", "url": "http://a:1"})


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("/app", "https://app.internal/x"),
        ("/app?a=%2f&b", "https://app.internal/x?a=%2f&b"),
        ("/app/sms/..%2F?q=ä", "https://app.internal/x/sms/..%2F?q=ä"),
        ("/app/", "https://app.internal/x/"),
        ("/app/administrator", "https://app.internal/x/administrator"),
        ("/app/admin/x", "http://a:1/x"),
        ("/apple", None),
        ("/", None),
    ],
)
def test_path_and_what_is_below_it(target: str, url: str | None) -> None:
    """The longest path counts, and what comes after it is kept byte for byte."""
    found = forward_of(APPS, target)
    assert (found and found.target_url(target)) == url


def test_url_of_an_app_takes_everything() -> None:
    """FORWARD_URL keeps all paths, so that absolute ones in TwiML work, and the built-in path means the webhook itself."""
    everything = with_url((), "http://localhost:3000/sms")
    targets = {"/sms": "/sms", "/menu?Digits=1": "/menu?Digits=1", "/twilio": "/sms", "/": "/"}
    for target, path in targets.items():
        found = forward_of(everything, target)
        assert found is not None
        assert found.target_url(target) == f"http://localhost:3000{path}"
    assert with_url((), None) == ()


def test_table_wins_over_url() -> None:
    """Of two forwards for one path, the one that is written out counts."""
    (own,) = read({"path": "/", "url": "http://b"})
    assert with_url([own], "http://c/") == (own,)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"path": "app", "url": "http://a"}, "a path must begin with /"),
        ({"path": "/a?b", "url": "http://a"}, "a path must begin with /"),
        ({"path": "/a"}, "it is missing"),
        ({"path": "/a", "url": "ftp://a"}, "it must be of the form http://host"),
        ({"path": "/a", "url": "http://"}, "it must be of the form http://host"),
        ({"path": "/a", "url": "http://u:secret@a"}, "it has a user name"),
        ({"path": "/a", "url": "http://a?b=1"}, "it has a query"),
        ({"path": "/a", "url": "http://a:0"}, "its port is missing or 0"),
        ({"path": "/a", "url": "http://a/ü"}, "not %-encoded"),
        ({"path": "/a", "url": "http://a", "sign": "no"}, "it must be target or original"),
        ({"path": "/a", "url": "http://a", "timeout_s": 0}, "it must be a number above 0"),
        ({"path": "/a", "url": "http://a", "max_attempts": 0}, "it must be a whole number of at least 1"),
        ({"path": "/a", "url": "http://a", "retries": 3}, "there is no such key"),
    ],
)
def test_mistakes_are_named(table: dict[str, Any], problem: str) -> None:
    """With the forward, and without the URL, which may have a password in it."""
    with pytest.raises(ValueError, match=problem) as raised:
        read(table)
    assert "forward 1" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_two_forwards_for_one_path() -> None:
    """Nobody could say where its webhooks go."""
    with pytest.raises(ValueError, match="there are 2 forwards for /a"):
        read({"path": "/a", "url": "http://a"}, {"path": "/a/", "url": "http://b"})
    assert isinstance(field_of(SharedSettings, "forward").reader, Read)
