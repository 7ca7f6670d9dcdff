"""The paths of forwards, below which every path exists. Paths that are not forwarded are found as before."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from hookline_ingress.http.request import Request
from hookline_ingress.refusals import Refusal
from hookline_ingress.translation.webhook import Webhook
from hookline_shared.forwards import Forward, forward_of

FORWARDED: Final = "X-Hookline-Event"
"""Header of what a processor has forwarded. `hookline_processor/forward/request.py` has its name, too."""

Found = TypeVar("Found")
Decode = Callable[[Request, str, int], Webhook]


class Paths(dict[str, Found]):
    """What was found for each path, or for all paths below one. A path that does not exist has None."""

    def __init__(self, found: dict[str, Found]) -> None:
        super().__init__(found)
        self._below: dict[Forward, Found | None] = {}

    def add_below(self, found: Sequence[tuple[Forward, Found | None]]) -> None:
        """Add what is found for all paths that belong to a forward and are not there by themselves."""
        self._below = dict(found)

    @property
    def has_below(self) -> bool:
        """Whether anything is found below a path."""
        return bool(self._below)

    def below(self) -> dict[Forward, Found]:
        """Return what is found for all paths that belong to each forward."""
        return {forward: found for forward, found in self._below.items() if found is not None}

    def __missing__(self, path: str) -> Found | None:
        forward = forward_of(self._below, path)
        return None if forward is None else self._below[forward]


def unless_forwarded(decode: Decode) -> Decode:
    """Return `decode` for requests that were not forwarded yet: one that was would be forwarded in a circle.

    Event Streams and SendGrid discard what gets a 4xx. This is a 5xx, and none of theirs has the header.
    """

    def decode_new(request: Request, signature: str, received_at: int) -> Webhook:
        if FORWARDED in request.headers:
            raise Refusal(508, "loop")
        return decode(request, signature, received_at)

    return decode_new
