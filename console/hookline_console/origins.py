"""The names under which browsers may call the console. Pure."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from hookline_cli.settings.console import ConsoleSettings, is_loopback

_OWN: Final = ("same-origin", "none")
"""What Sec-Fetch-Site says of a form of ours, and of an address that somebody typed."""


class Origins:
    """The console's own origins: CONSOLE_URL, and this machine with the port on which it listens if nobody else reaches it."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings
        self.set_port(settings.port)

    @property
    def https(self) -> bool:
        """Whether browsers call the console by https."""
        return self.base.startswith("https:")

    def set_port(self, port: int) -> None:
        """Take the port on which the console listens."""
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        local = [f"http://{name}:{port}" for name in dict.fromkeys([host, "127.0.0.1", "localhost", "[::1]"])]
        self.base = self._settings.url or local[0]
        reached = [self.base, *local] if is_loopback(self._settings.host) else [self.base]
        self._origins = frozenset(reached)
        self._hosts = frozenset(urlsplit(one).netloc for one in reached)

    def knows(self, host: str) -> bool:
        """Whether `host`, a Host header, is ours. Another site could give its name this address (DNS rebinding)."""
        return host.lower() in self._hosts

    def sends(self, headers: Mapping[str, str]) -> bool:
        """Whether a request that changes something comes from a page of ours, as far as its headers say."""
        origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
        return (origin is None or origin in self._origins) and (site is None or site in _OWN)
