"""REDIS_URL: everything that it can say, and every mistake reported without quoting it."""

import re
from typing import Any

import pytest

from hookline_shared.redis.url import Address, Topology, parse_redis_url

PASSWORD = "s3cr3t-pa55word"


@pytest.mark.parametrize(
    ("url", "facts"),
    [
        ("redis://h", {"topology": Topology.STANDALONE, "addresses": (Address("h", 6379),), "database": 0, "tls": False}),
        ("redis://", {"addresses": (Address("localhost", 6379),)}),
        ("redis://h:7000/3", {"addresses": (Address("h", 7000),), "database": 3}),
        ("redis://h/?db=4", {"database": 4}),
        ("redis://[::1]:7000/0", {"addresses": (Address("::1", 7000),)}),
        ("redis://u%40x:p%3A%2Fw@h", {"username": "u@x", "password": "p:/w"}),
        ("redis://:p@h", {"username": None, "password": "p"}),
        ("redis://h?username=u&password=p", {"username": "u", "password": "p"}),
        ("rediss://h?ssl_ca_certs=/ca.pem", {"tls": True, "tls_options": {"ssl_ca_certs": "/ca.pem"}}),
        ("unix:///run/redis.sock?db=2", {"addresses": (Address("/run/redis.sock", 0),), "database": 2}),
        ("unix://u:p@/run/redis.sock", {"addresses": (Address("/run/redis.sock", 0),), "username": "u", "password": "p"}),
        (
            "redis+sentinel://a:1,b/mine/5",
            {
                "topology": Topology.SENTINEL,
                "addresses": (Address("a", 1), Address("b", 26379)),
                "service": "mine",
                "database": 5,
            },
        ),
        ("redis+sentinel://a/mine", {"service": "mine", "database": 0}),
        (
            "redis+sentinel://u:p@a/m?sentinel_username=su&sentinel_password=sp",
            {"username": "u", "password": "p", "sentinel_username": "su", "sentinel_password": "sp"},
        ),
        ("rediss+sentinel://a/mine", {"topology": Topology.SENTINEL, "tls": True}),
        ("redis+cluster://a:1,b:2,[::1]:3", {"addresses": (Address("a", 1), Address("b", 2), Address("::1", 3))}),
        ("rediss+cluster://a", {"topology": Topology.CLUSTER, "tls": True, "addresses": (Address("a", 6379),)}),
    ],
)
def test_urls(url: str, facts: dict[str, Any]) -> None:
    """Each form says what the documentation says it does."""
    parsed = parse_redis_url(url)
    assert {name: getattr(parsed, name) for name in facts} == facts


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:6379", "must begin with redis://"),
        ("http://h", "must begin with redis://"),
        ("redis+nonsense://h", "redis+cluster://"),
        ("sentinel://h", "must begin with"),
        ("redis://a,b", "several servers"),
        ("redis+sentinel://a,b", "the name of the service"),
        ("redis+sentinel://a/", "the name of the service"),
        ("redis+cluster://a/1", "no database but 0"),
        ("redis://h/zero", "not a number"),
        ("redis://h:port", "not a number"),
        ("redis://h:99999", "not a number"),
        ("redis://h:0", "missing or 0"),
        ("redis://h:", "missing or 0"),
        ("redis://:6379", "without a host"),
        ("redis+cluster://a:1,:2", "without a host"),
        ("redis://[::1", "not a URL"),
        ("redis://h?nonsense=1&more=2", "not known: more, nonsense"),
        ("rediss://h?ssl_cert_reqs=perhaps", "ssl_cert_reqs"),
    ],
)
def test_mistakes(url: str, words: str) -> None:
    """Each mistake is named."""
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_redis_url(url)


@pytest.mark.parametrize("rest", ["h:port", "a,b", "h/zero", "[::1", "h?nonsense=1", "h:0"])
def test_no_error_holds_the_password(rest: str) -> None:
    """A URL that is wrong may still hold a password, and errors end in logs."""
    with pytest.raises(ValueError, match=r"^its? ") as caught:
        parse_redis_url(f"redis://user:{PASSWORD}@{rest}")
    assert PASSWORD not in str(caught.value)


def test_secrets_are_known_and_not_shown() -> None:
    """Both passwords are kept out of logs, and out of what a debugger shows."""
    parsed = parse_redis_url(f"redis+sentinel://u:{PASSWORD}@a/m?sentinel_password=other-{PASSWORD}")
    assert parsed.secrets == (PASSWORD, f"other-{PASSWORD}")
    assert PASSWORD not in repr(parsed)
