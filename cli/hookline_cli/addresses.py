"""Is it this machine, or one that the whole internet knows? Pure."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Tell whether `url` leads to this machine, without asking a name server."""
    host = host_of(url)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_public(url: str) -> bool:
    """Tell whether the host of `url` may be one that the internet knows."""
    host = host_of(url)
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".localhost", ".internal"))


def host_of(url: str) -> str:
    """Give the host of `url`, empty if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
