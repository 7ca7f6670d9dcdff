"""The settings of the web console, `hookline console`."""

import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from msgspec import Meta

from hookline_ingress.http.proxies import parse_networks
from hookline_shared.settings.base import CommaSeparated, Port, SharedSettings
from hookline_shared.validation import Check, Variable

_SCHEMES: Final = ("http", "https")
_THIS_MACHINE: Final = "localhost"


def _networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    parse_networks(networks)
    return networks


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise ValueError("it must be scheme and host, such as https://console.example.com")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("it must begin with https://, or everybody on the way could read passwords and sessions")
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == _THIS_MACHINE


class ConsoleSettings(SharedSettings, frozen=True, kw_only=True):
    """The settings of the console. Those of Redis and of the topics are the ones of the services."""

    host: Annotated[
        str,
        Variable(
            "CONSOLE_HOST",
            "Address on which the console listens. Any but a loopback address needs CONSOLE_URL, and CONSOLE_USERS or "
            "CONSOLE_USER_HEADER",
        ),
    ] = "127.0.0.1"
    port: Annotated[Port, Variable("CONSOLE_PORT", "Port on which the console listens")] = 9070
    url: Annotated[
        str | None,
        Check(_url),
        Variable("CONSOLE_URL", "URL with which browsers call the console, if it is not the address on which it listens"),
    ] = None
    users: Annotated[
        Path | None,
        Variable(
            "CONSOLE_USERS",
            "File of people who sign in with a password: a line name:roles:hash for each, which `hookline console "
            "password NAME` prints. Without it, the console prints links that sign in once",
        ),
    ] = None
    trusted_proxies: Annotated[
        CommaSeparated,
        Check(_networks),
        Variable(
            "CONSOLE_TRUSTED_PROXIES",
            "CIDRs of the reverse proxies in front of the console whose headers count: X-Forwarded-For, CONSOLE_USER_HEADER",
        ),
    ] = ()
    user_header: Annotated[
        str | None,
        Variable(
            "CONSOLE_USER_HEADER",
            "Header in which a trusted proxy such as oauth2-proxy names people: X-Forwarded-User",
        ),
    ] = None
    groups_header: Annotated[
        str, Variable("CONSOLE_GROUPS_HEADER", "Header in which the trusted proxy lists that person's groups, comma-separated")
    ] = "X-Forwarded-Groups"
    operators: Annotated[
        CommaSeparated,
        Variable("CONSOLE_OPERATORS", "Who, of those that the trusted proxy names, may act: names, or groups as group:NAME"),
    ] = ()
    revealers: Annotated[
        CommaSeparated,
        Variable(
            "CONSOLE_REVEALERS", "Who, of those that the trusted proxy names, may see numbers and texts: names, or groups"
        ),
    ] = ()
    idle_minutes: Annotated[
        int, Meta(ge=1, le=1440), Variable("CONSOLE_IDLE_MINUTES", "Minutes without a request after which a session ends")
    ] = 30
    session_hours: Annotated[
        int, Meta(ge=1, le=168), Variable("CONSOLE_SESSION_HOURS", "Hours after which a session ends in any case")
    ] = 12

    @classmethod
    def contradictions(cls, _valid: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what would let in everybody, or nobody."""
        users, header = _valid.get("users"), _valid.get("user_header")
        if users and header:
            yield "user_header", "people sign in by CONSOLE_USERS or by a trusted proxy, not by both"
        if header and not _valid.get("trusted_proxies"):
            yield "user_header", "everybody could send this header: set CONSOLE_TRUSTED_PROXIES to the proxies that may"
        if not is_loopback(_valid.get("host", "127.0.0.1")):
            if not users and not header:
                yield "host", "others reach this address: set CONSOLE_USERS, or CONSOLE_USER_HEADER behind a proxy"
            if not _valid.get("url"):
                yield "host", "others reach this address: set CONSOLE_URL to the URL that their browsers use"
