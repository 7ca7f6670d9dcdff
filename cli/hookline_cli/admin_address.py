"""Where the admin port of a service is."""

import ipaddress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import typer

LOOPBACK: Final = "127.0.0.1"
_LARGEST_PORT: Final = 65535


class AdminAddress(NamedTuple):
    """`name` is what the service is called; empty if that is still to be told by what it does."""

    name: str
    host: str
    port: int

    @property
    def place(self) -> str:
        """Host and port, as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def url(self, path: str) -> str:
        """Give the URL of `path`."""
        return f"http://{self.place}{path}"


def parse_admin(text: str) -> AdminAddress:
    """Read HOST:PORT, or a port alone, which is one of this machine.

    Raises:
        typer.BadParameter: if it is neither.

    """
    try:
        parts = urlsplit(f"//{LOOPBACK}:{text}" if text.isdecimal() else f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or parts.path:
        raise typer.BadParameter(f"{text!r} is not of the form HOST:PORT, with a port up to {_LARGEST_PORT}.")
    return AdminAddress("", host, port)


def reachable(host: str) -> str:
    """Give where to ask a service that listens at `host`: one that listens everywhere listens on the loopback, too."""
    try:
        return LOOPBACK if ipaddress.ip_address(host).is_unspecified else host
    except ValueError:
        return host or LOOPBACK
