"""What it takes until a write counts as durable.

The command that waits goes over the same connection as the writes before it, once for all of them, since the server waits for
whatever this connection has seen. So it also covers an event that was found to be a duplicate: its first copy is older.
"""

from enum import Enum
from typing import Any, Final

from redis.exceptions import ResponseError

from hookline_shared.errors import BrokerUnavailableError, HooklineError
from hookline_shared.redis.failures import translate
from hookline_shared.redis.pool import Words
from hookline_shared.redis.server_info import Features, ServerInfo

_LATENESS_S: Final = 0.12
"""Servers look for waits that are over only ten times a second. An answer that came later than the call's end would be lost."""


class Durability(Enum):
    """The values are those of INGRESS_DURABILITY."""

    MEMORY = "memory"
    """The master has it in memory."""
    REPLICA = "replica"
    """At least one replica has it, too."""
    FSYNC = "fsync"
    """It is on the master's disk."""

    def closing(self, features: Features | None, timeout_s: float) -> Words | None:
        """Return the command that ends a batch of writes, None if none is needed; `timeout_s` is the limit for the batch."""
        timeout_ms = round(1000 * max(timeout_s / 2, timeout_s - _LATENESS_S))
        if self is Durability.REPLICA:
            return ("WAIT", 1, timeout_ms)
        if self is Durability.FSYNC and features is not None and features.waitaof:
            return ("WAITAOF", 1, 0, timeout_ms)
        return None  # a server without WAITAOF must have AOF always, see `obstacle`

    def shortfall(self, answer: Any) -> HooklineError | None:
        """Say why `answer`, to the closing command, means that the writes are not durable; None if they are."""
        if isinstance(answer, ResponseError):
            return translate(answer)
        if self is Durability.REPLICA and answer < 1:
            return BrokerUnavailableError("No replica confirmed the write in time. Is one connected, and does it keep up?")
        if self is Durability.FSYNC and answer[0] < 1:
            return BrokerUnavailableError("Redis did not fsync the write in time. Is appendfsync always, or the disk too slow?")
        return None

    def obstacle(self, facts: ServerInfo, features: Features, appendfsync: str | None) -> str | None:
        """Say why this server cannot give this durability, and what to do; None if it can.

        `appendfsync` is its setting of that name, None if it does not tell.
        """
        if self is Durability.REPLICA and not facts.replica_lags:
            return "INGRESS_DURABILITY is replica, but no replica is connected to the master, so nothing can be accepted."
        if self is Durability.FSYNC and not facts.keeps_file:
            return "INGRESS_DURABILITY is fsync, but appendonly is off. Set appendonly yes."
        if self is Durability.FSYNC and not features.waitaof and appendfsync != "always":
            return (
                f"INGRESS_DURABILITY is fsync, but appendfsync is {appendfsync or 'unknown'}, and {facts.name} "
                f"{facts.version} has no WAITAOF. Set appendfsync always."
            )
        return None
