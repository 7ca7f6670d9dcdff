"""The address of the admin port of a service."""

import ipaddress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import typer

LOOPBACK: Final = "127.0.0.1"
_LARGEST_PORT: Final = 65535


class AdminAddress(NamedTuple):
    """`name` is the name of the service, empty if only its metrics can show which service it is."""

    name: str
    host: str
    port: int

    @property
    def place(self) -> str:
        """Host and port, as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_admin(text: str) -> AdminAddress:
    """Parse HOST:PORT, or a port alone, which means this machine.

    Raises:
        typer.BadParameter: if `text` has neither form.

    """
    try:
        parts = urlsplit(f"//{LOOPBACK}:{text}" if text.isdecimal() else f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or parts.path:
        raise typer.BadParameter(f"{text!r} is not HOST:PORT with a port from 1 to {_LARGEST_PORT}.")
    return AdminAddress("", host, port)


def reachable(host: str) -> str:
    """Return the address at which a service that listens on `host` is reached: the loopback address if it listens on all."""
    try:
        return LOOPBACK if ipaddress.ip_address(host).is_unspecified else host
    except ValueError:
        return host or LOOPBACK


def admin_headers(token: str | None) -> dict[str, str]:
    """Return the headers with which an admin port whose ADMIN_TOKEN is `token` tells everything."""
    return {"Authorization": f"Bearer {token}"} if token else {}
