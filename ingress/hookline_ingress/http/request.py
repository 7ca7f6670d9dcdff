"""The request that a connection passes on, and the reply that it gets back."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec
from multidict import MultiMapping

from hookline_shared.errors import HooklineError


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request that has arrived as a whole.

    `target` is the path and query exactly as called, never decoded. `peer` is the IP address of the other end, empty if it has
    none. `began` is when its first byte arrived, in seconds on the service's clock.
    """

    method: str
    target: str
    headers: MultiMapping[str]
    body: bytes
    peer: str
    began: float


class Reply(NamedTuple):
    """A status, and a body with its content type. Without a content type there is no body."""

    status: int
    content_type: str = ""
    body: bytes = b""


Respond = Callable[[Reply], None]
"""Sends the reply to a request. It is called once, in the event loop, when the request is handled or later."""
Arrived = tuple[Request, Respond]
"""A request that has arrived, and what sends its reply."""


class UnreadableError(HooklineError):
    """Bytes that are refused before they are a whole request, with HTTP status `status` and, for the metrics, `outcome`."""

    def __init__(self, status: int, outcome: str) -> None:
        super().__init__(outcome)
        self.status = status
        self.outcome = outcome
