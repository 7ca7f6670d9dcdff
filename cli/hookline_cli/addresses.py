"""Whether a URL leads to this machine or to a public host. Pure."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether the host of `url` is this machine. No name server is asked."""
    host = host_of(url)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_public(url: str) -> bool:
    """Whether the host of `url` can be a public one."""
    host = host_of(url)
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".localhost", ".internal"))


def host_of(url: str) -> str:
    """Return the host of `url`, or an empty string if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
