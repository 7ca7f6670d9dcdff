"""The aiohttp that ingress works with: its connections use the compiled parser, which is not public.

This file imports nothing of aiohttp, since one without what ingress imports has to be reported, too.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from hookline_shared.distribution import requirement
from hookline_shared.errors import HooklineError

if TYPE_CHECKING:
    from hookline_ingress.http.heads import Head

_SAMPLE: Final = b"POST /sample HTTP/1.1\r\nHost: sample\r\nContent-Length: 4\r\n\r\n"


class AiohttpMismatchError(HooklineError):
    """The aiohttp that is installed is not one that ingress can read requests with."""

    def __init__(self) -> None:
        supported = requirement("aiohttp")
        super().__init__(
            f"aiohttp {version('aiohttp')} is installed, with which no webhook could be read, so ingress does not start. "
            f"It works with {supported}: run pip install '{supported}'."
        )


class NoCompiledParserError(HooklineError):
    """aiohttp is installed without its compiled parser, or was told not to use it."""

    def __init__(self) -> None:
        super().__init__(
            "aiohttp would read requests with its parser in Python, with which requests could be smuggled more than once, so "
            "ingress does not start. Unset AIOHTTP_NO_EXTENSIONS; if it is not set, run "
            "pip install --force-reinstall --only-binary aiohttp aiohttp."
        )


def check_aiohttp(new_parser: "Callable[[], Callable[[bytes], Head]]", *, compiled: bool) -> None:
    """Parse sample heads with a new parser, so that an aiohttp with other internals is found before a webhook comes.

    `compiled` is whether that parser is the compiled one.

    Raises:
        AiohttpMismatchError: if a head is read otherwise, or none is.
        NoCompiledParserError: if the parser is not compiled.

    """
    if not compiled:
        raise NoCompiledParserError
    try:
        parse = new_parser()
        heads = [parse(_SAMPLE) for _ in range(2)]
        found = [(head.target, head.headers["Host"], head.length, head.keep_open) for head in heads]
    except Exception as error:
        raise AiohttpMismatchError from error
    if found != [("/sample", "sample", 4, True)] * 2:
        raise AiohttpMismatchError
