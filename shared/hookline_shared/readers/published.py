"""What a processor publishes about itself in Redis, for those who want to know whether everything is read and handled.

It is JSON beside the heartbeat, and expires a minute after it: `scripts/processors.lua` writes it. A version that publishes
nothing, or something that this version cannot read, is unknown: nothing is concluded from that.
"""

from collections.abc import Iterable

import msgspec

from hookline_shared.distribution import own_version


class Published(msgspec.Struct, frozen=True):
    """The topics that a processor reads in its partitions, and the patterns of the kinds that it handles and that it ignores.

    `lease_s` is the length of its leases in seconds, and thereby how long it may be silent.
    """

    version: str
    partitions: int
    lease_s: float
    topics: tuple[str, ...]
    handled: tuple[str, ...]
    ignored: tuple[str, ...]


def encode(partitions: int, lease_s: float, topics: Iterable[str], handled: Iterable[str], ignored: Iterable[str]) -> bytes:
    """Return what a processor of this version publishes."""
    names = (tuple(sorted(given)) for given in (topics, handled, ignored))
    return msgspec.json.encode(Published(own_version(), partitions, lease_s, *names))


def decode(found: bytes | None) -> Published | None:
    """Return what a processor published, None if it is unknown."""
    try:
        return msgspec.json.decode(found, type=Published) if found else None
    except msgspec.MsgspecError:
        return None
