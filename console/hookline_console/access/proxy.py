"""What a trusted proxy says about the browser: its address, and who uses it. Pure."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

from hookline_cli.settings.console import ConsoleSettings
from hookline_console.access.people import Person, Role
from hookline_ingress.http.proxies import parse_networks

_LONGEST_NAME: Final = 200
_LONGEST_ADDRESS: Final = 100
_GROUP: Final = "group:"


class TrustedProxies:
    """The proxies of `settings`, and how to read their headers."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings
        self._networks = parse_networks(settings.trusted_proxies)

    def trusts(self, peer: str) -> bool:
        """Whether the other end of a connection is a trusted proxy."""
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        own = getattr(address, "ipv4_mapped", None) or address
        return any(own in network for network in self._networks)

    def client(self, peer: str, headers: Mapping[str, str]) -> str:
        """Return the address of the browser: the last one in X-Forwarded-For that is not a trusted proxy's."""
        hops = [hop.strip() for hop in headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        nearest = peer
        while self.trusts(nearest) and hops:
            nearest = hops.pop()
        return nearest[:_LONGEST_ADDRESS]

    def person(self, peer: str, headers: Mapping[str, str]) -> Person | None:
        """Return who has signed in at the proxy; None if the peer is no trusted proxy, or it names nobody."""
        name = headers.get(self._settings.user_header or "", "").strip()[:_LONGEST_NAME]
        if not name or name.startswith(_GROUP) or not self.trusts(peer):  # nobody is a group by calling themselves one
            return None
        groups = headers.get(self._settings.groups_header, "").split(",")
        names = {name, *(_GROUP + group.strip() for group in groups if group.strip())}
        granted = {Role.OPERATOR: self._settings.operators, Role.REVEALER: self._settings.revealers}
        return Person(name, frozenset({Role.VIEWER, *(role for role, who in granted.items() if names.intersection(who))}))
