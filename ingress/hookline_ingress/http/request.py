"""What a connection hands on, and what it gets back."""

from typing import NamedTuple

import msgspec
from multidict import MultiMapping


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request that has come as a whole.

    `target` is the path and query exactly as called, never decoded. `peer` is the IP address of the other end, empty where
    there is none. `began` is when its first byte came, in seconds on the service's clock.
    """

    method: str
    target: str
    headers: MultiMapping[str]
    body: bytes
    peer: str
    began: float


class Reply(NamedTuple):
    """A status, and what a body needs. No content type means no body."""

    status: int
    content_type: str = ""
    body: bytes = b""
