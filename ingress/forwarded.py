"""What a proxy in front of ingress says of the client: believed only if the proxy is one of those that were named. Pure."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from ingress.request import Request

Network = IPv4Network | IPv6Network

_SCHEMES: Final = ("http", "https")


def parse_networks(networks: Iterable[str]) -> tuple[Network, ...]:
    """Read CIDRs and single addresses. Raises ValueError naming the one that is wrong."""
    return tuple(_parse_network(network) for network in networks)


def _parse_network(network: str) -> Network:
    try:
        return ip_network(network)
    except ValueError as error:
        raise ValueError(f"{network} is no address or network such as 10.0.0.0/8: {error}") from None


class Proxies:
    """The proxies in `networks`. Without any, nothing that a request says of itself is believed."""

    def __init__(self, networks: tuple[Network, ...]) -> None:
        self._networks = networks
        self._trusts = lru_cache(maxsize=1024)(self._is_in_networks)

    def client(self, request: Request) -> str:
        """Give the address that the request comes from: the last one that is not a trusted proxy's."""
        if not self._networks or not self._trusts(request.peer):
            return request.peer
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
        return next((hop for hop in reversed(hops) if hop and not self._trusts(hop)), request.peer)

    def base(self, request: Request) -> str:
        """Give the base URL that a trusted proxy was called with, empty if no trusted one says so."""
        if not self._networks or not self._trusts(request.peer):
            return ""
        scheme, host = (_first(request.headers, name) for name in ("X-Forwarded-Proto", "X-Forwarded-Host"))
        return f"{scheme}://{host}" if scheme in _SCHEMES and host and host.isascii() else ""

    def _is_in_networks(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(mapped in network for network in self._networks)


def _first(headers: Mapping[str, str], name: str) -> str:
    """Give the first of a header's values: the one that the outermost proxy was called with."""
    return headers.get(name, "").partition(",")[0].strip().lower()
