"""The versions of aiohttp that ingress works with: its connections use the parser and the protocol, which are not public.

This file imports nothing of aiohttp, since one without what ingress imports has to be reported, too.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from hookline_shared.distribution import requirement
from hookline_shared.errors import HooklineError

if TYPE_CHECKING:
    from hookline_ingress.http.request import Request

_SAMPLE: Final = b"POST /sample HTTP/1.1\r\nHost: sample\r\nContent-Length: 4\r\n\r\nbody"


class AiohttpMismatchError(HooklineError):
    """The aiohttp that is installed is not one that ingress can read requests with."""

    def __init__(self) -> None:
        supported = requirement("aiohttp")
        super().__init__(
            f"aiohttp {version('aiohttp')} is installed, with which no webhook could be read, so ingress does not start. "
            f"It works with {supported}: run pip install '{supported}'."
        )


def check_aiohttp(read: Callable[[bytes], "tuple[Request, bool]"]) -> None:
    """Read a sample request with `read`, so that an aiohttp with other internals is found before a webhook comes.

    `read` parses bytes with a new connection, and returns the request and whether the connection may stay open.

    Raises:
        AiohttpMismatchError: if a connection cannot be built, or reads something else.

    """
    try:
        request, keep_open = read(_SAMPLE)
        found = (request.target, request.headers["Host"], request.body, keep_open)
    except Exception as error:
        raise AiohttpMismatchError from error
    if found != ("/sample", "sample", b"body", True):
        raise AiohttpMismatchError
