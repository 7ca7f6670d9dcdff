"""The headers with which a proxy in front of ingress describes the client. Only those of trusted proxies count. Pure."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from hookline_ingress.http.request import Request
from hookline_shared.validation import split_url

Network = IPv4Network | IPv6Network

_LONGEST_HOST: Final = 300
"""Characters; a name in the DNS has 253. Longer ones would fill the caches."""
_SCHEMES: Final = ("http", "https")
_HOST: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")


def parse_networks(networks: Iterable[str]) -> tuple[Network, ...]:
    """Parse CIDRs and single addresses.

    Raises:
        ValueError: naming the one that is wrong.

    """
    return tuple(_parse_network(network) for network in networks)


def _parse_network(network: str) -> Network:
    try:
        return ip_network(network)
    except ValueError as error:
        raise ValueError(f"{network} is no address or network such as 10.0.0.0/8: {error}") from None


class Proxies:
    """The trusted proxies: those in `networks`. Without any, the headers are ignored."""

    def __init__(self, networks: tuple[Network, ...]) -> None:
        self._networks = networks
        self._trusts = lru_cache(maxsize=1024)(self._is_in_networks)

    def is_trusted_peer(self, request: Request) -> bool:
        """Whether the other end is a trusted proxy."""
        return bool(self._networks) and self._trusts(request.peer)

    def client(self, request: Request) -> str:
        """Return the address of the client: the last one in X-Forwarded-For that is not a trusted proxy's.

        Each proxy adds the address of its caller, to the last header of that name or as another header. If an item is not an
        address, it and everything before it are ignored, and the client is the last proxy that is known.
        """
        if not self._networks or not self._trusts(request.peer):
            return request.peer
        nearest = request.peer
        for hop in reversed(",".join(request.headers.getall("X-Forwarded-For", ())).split(",")):
            address = _address_in(hop.strip()) if len(hop) <= _LONGEST_HOST else ""
            if not address or not self._trusts(address):
                return address or nearest
            nearest = address
        return nearest

    def base(self, request: Request) -> str:
        """Return the base URL with which a trusted proxy was called; empty if there is none."""
        if not self._networks or not self._trusts(request.peer):
            return ""
        scheme, host = (_first(request.headers, name) for name in ("X-Forwarded-Proto", "X-Forwarded-Host"))
        return _base(scheme.lower(), host) if len(scheme) + len(host) <= _LONGEST_HOST else ""

    def _is_in_networks(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(mapped in network for network in self._networks)


def _first(headers: Mapping[str, str], name: str) -> str:
    """Return the first of a header's values: that of the outermost proxy."""
    return headers.get(name, "").partition(",")[0].strip()


@lru_cache(maxsize=1024)
def _address_in(hop: str) -> str:
    """Return the address in `hop`, normalised and without the port that some proxies add; empty if it has none."""
    host = hop
    if hop.startswith("["):
        host = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        host = hop.partition(":")[0]
    try:
        parsed = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


@lru_cache(maxsize=256)
def _base(scheme: str, host: str) -> str:
    """Return the base URL of `host`, in the case in which it was called, since Twilio signs that; empty if it is not a host."""
    if scheme not in _SCHEMES or not _HOST.fullmatch(host):
        return ""
    base = f"{scheme}://{host}"
    try:
        split_url(base)
    except ValueError:
        return ""
    return base
