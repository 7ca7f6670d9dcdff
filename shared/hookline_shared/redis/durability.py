"""The durability of writes.

WAIT or WAITAOF is sent once after a batch of writes on the same connection, since the server waits for the writes that this
connection has seen. That also covers an event that was found to be a duplicate, since its first copy is older.
"""

from enum import Enum
from typing import Any, Final

from redis.exceptions import ResponseError

from hookline_shared.errors import BrokerUnavailableError, HooklineError
from hookline_shared.redis.failures import translate
from hookline_shared.redis.pool import CommandArgs
from hookline_shared.redis.server_info import Features, ServerInfo

_LATENESS_S: Final = 0.12
"""Servers check for waits that are over only ten times a second. An answer after the end of the call would be lost."""


class Durability(Enum):
    """The values are those of INGRESS_DURABILITY."""

    MEMORY = "memory"
    """The write is in the memory of the master."""
    REPLICA = "replica"
    """The write is on at least one replica, too."""
    FSYNC = "fsync"
    """The write is on the disk of the master."""

    def closing(self, features: Features | None, timeout_s: float) -> CommandArgs | None:
        """Return the command that ends a batch of writes, None if none is needed; `timeout_s` is the limit for the batch."""
        timeout_ms = round(1000 * max(timeout_s / 2, timeout_s - _LATENESS_S))
        if self is Durability.REPLICA:
            return ("WAIT", 1, timeout_ms)
        if self is Durability.FSYNC and features is not None and features.waitaof:
            return ("WAITAOF", 1, 0, timeout_ms)
        return None  # a server without WAITAOF must have AOF always, see `obstacle`

    def shortfall(self, answer: Any) -> HooklineError | None:
        """Return why the writes are not durable, by `answer` to the closing command; None if they are."""
        if isinstance(answer, ResponseError):
            return translate(answer)
        if self is Durability.REPLICA and answer < 1:
            return BrokerUnavailableError("No replica confirmed the write in time. Is one connected, and does it keep up?")
        if self is Durability.FSYNC and answer[0] < 1:
            return BrokerUnavailableError("Redis did not fsync the write in time. Is appendfsync always, or the disk too slow?")
        return None

    def obstacle(self, info: ServerInfo, features: Features, appendfsync: str | None) -> str | None:
        """Return why this server cannot provide this durability, and what to do; None if it can.

        `appendfsync` is its setting of that name, None if unknown.
        """
        if self is Durability.REPLICA and not info.replica_lags:
            return "INGRESS_DURABILITY is replica, but no replica is connected to the master, so nothing can be accepted."
        if self is Durability.FSYNC and not info.keeps_file:
            return "INGRESS_DURABILITY is fsync, but appendonly is off. Set appendonly yes."
        if self is Durability.FSYNC and not features.waitaof and appendfsync != "always":
            return (
                f"INGRESS_DURABILITY is fsync, but appendfsync is {appendfsync or 'unknown'}, and {info.name} "
                f"{info.version} has no WAITAOF. Set appendfsync always."
            )
        return None
