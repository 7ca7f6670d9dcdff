"""The versions of aiohttp that ingress works with: its connections use the parser and the protocol, which are not public."""

from importlib.metadata import version

from hookline_shared.distribution import requirement
from hookline_shared.errors import HooklineError


class AiohttpMismatchError(HooklineError):
    """The aiohttp that is installed is not one that ingress can read requests with."""

    def __init__(self) -> None:
        supported = requirement("aiohttp")
        super().__init__(
            f"aiohttp {version('aiohttp')} is installed, with which no webhook could be read, so ingress does not start. "
            f"It works with {supported}: run pip install '{supported}'."
        )
