"""The options of the connections to Redis."""

from functools import cached_property
from typing import Annotated, NamedTuple, Self

import msgspec

from hookline_shared.redis.url import RedisUrl, parse_redis_url
from hookline_shared.redis_keys import DEFAULT_PREFIX, check_prefix
from hookline_shared.validation import AtLeastOne, Check, Positive, SettingsGroup, Variable


def _url(url: str) -> str:
    parse_redis_url(url)
    return url


class PoolLimits(NamedTuple):
    """The limits of a pool; times are in seconds."""

    size: int
    acquire_timeout_s: float
    max_age_s: float
    idle_check_s: float


class RedisOptions(SettingsGroup, frozen=True, kw_only=True, dict=True):  # the last for `server`
    """Times are in seconds, sizes in connections to one server. Every key begins with `prefix`."""

    url: Annotated[
        str,
        Check(_url),
        Variable(
            "REDIS_URL",
            "URL of Redis: redis://[user:password@]host:port/db (rediss:// for TLS), unix:///path, "
            "redis+sentinel://host:port,host:port/service/db or redis+cluster://host:port,host:port",
            secret=True,
        ),
    ] = "redis://127.0.0.1:6379/0"
    pool_size: Annotated[
        AtLeastOne, Variable("REDIS_POOL_SIZE", "Size of the pool of connections for commands, for each Redis master")
    ] = 16
    acquire_timeout_s: Annotated[
        Positive, Variable("REDIS_ACQUIRE_TIMEOUT_S", "Seconds that a call waits for a free connection")
    ] = 1.0
    connect_timeout_s: Annotated[
        Positive, Variable("REDIS_CONNECT_TIMEOUT_S", "Time limit in seconds for connecting to Redis")
    ] = 2.0
    command_timeout_s: Annotated[
        Positive,
        Variable(
            "REDIS_COMMAND_TIMEOUT_S",
            "Time limit in seconds for a command. Writes of webhooks have INGRESS_WRITE_BUDGET_MS instead",
        ),
    ] = 5.0
    max_age_s: Annotated[
        Positive, Variable("REDIS_MAX_AGE_S", "Age in seconds at which a connection is replaced, as soon as it is idle")
    ] = 3600.0
    idle_check_s: Annotated[
        Positive, Variable("REDIS_IDLE_CHECK_S", "Idle time in seconds after which a connection is checked with a PING")
    ] = 15.0
    breaker_failures: Annotated[
        AtLeastOne,
        Variable(
            "REDIS_BREAKER_FAILURES",
            "Consecutive failures that open the circuit breaker of Redis; a successful probe closes it",
        ),
    ] = 5
    prefix: Annotated[
        str,
        Check(check_prefix),
        Variable(
            "HOOKLINE_PREFIX",
            "Prefix of all Redis keys. Several installations can share one Redis with different prefixes, see docs/redis.md",
        ),
    ] = DEFAULT_PREFIX
    blocking_pool_size: int = 1
    """Connections for blocking reads. It has no variable, since their number depends on what reads."""

    @cached_property
    def server(self) -> RedisUrl:
        """The parsed URL."""
        return parse_redis_url(self.url)

    def with_blocking(self, connections: int) -> Self:
        """Return these options with `connections` for blocking reads."""
        return msgspec.structs.replace(self, blocking_pool_size=connections)

    def pool_limits(self, size: int) -> PoolLimits:
        """Return the limits of a pool of `size` connections."""
        return PoolLimits(size, self.acquire_timeout_s, self.max_age_s, self.idle_check_s)
