"""What a connection needs of the server that accepted it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hookline_ingress.http.heads import Head
from hookline_ingress.http.read_memory import ReadMemory
from hookline_ingress.http.request import Request, Respond, UnreadableError
from hookline_shared.clock import Clock


class Server(Protocol):
    """The parts of the server that a connection uses. Times are in seconds, sizes in bytes."""

    loop: asyncio.AbstractEventLoop
    clock: Clock
    body_limit: Callable[[str, Mapping[str, str]], int | None]
    read_timeout_s: float
    keepalive_s: float
    memory: ReadMemory

    def admit(self, connection: Any) -> None:
        """Register a new connection."""
        ...

    def dismiss(self, connection: Any) -> None:
        """Unregister a connection that has ended."""
        ...

    def answer(self, request: Request, respond: Respond) -> None:
        """Handle `request`; `respond` is called once with the reply, now or later."""
        ...

    def refusal_status(self, error: UnreadableError, head: Head | None) -> int:
        """Return the status of the reply to what is no request because of `error`; `head` is what was read of it."""
        ...

    def count_refusal(self, status: int, outcome: str) -> None:
        """Count the response to bytes that never became a request."""
        ...
