"""What a connection needs of the server that accepted it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hookline_ingress.http.request import Request, Respond
from hookline_shared.clock import Clock


class Server(Protocol):
    """The parts of the server that a connection uses. Times are in seconds, sizes in bytes."""

    loop: asyncio.AbstractEventLoop
    clock: Clock
    body_limit: Callable[[str, Mapping[str, str]], int | None]
    status_if_too_large: Callable[[str, Mapping[str, str]], int]
    read_timeout_s: float
    keepalive_s: float

    def admit(self, connection: Any) -> None:
        """Register a new connection."""
        ...

    def dismiss(self, connection: Any) -> None:
        """Unregister a connection that has ended."""
        ...

    def answer(self, request: Request, respond: Respond) -> None:
        """Handle `request`; `respond` is called once with the reply, now or later."""
        ...

    def count_refusal(self, status: int, outcome: str) -> None:
        """Count the response to bytes that never became a request."""
        ...
