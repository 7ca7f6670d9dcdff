"""The options of the connections to Redis."""

from functools import cached_property
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, Field

from hookline_shared.keys import DEFAULT_PREFIX, check_prefix
from hookline_shared.redis.url import RedisUrl, parse_redis_url
from hookline_shared.validation import SettingsGroup


def _url(url: str) -> str:
    parse_redis_url(url)
    return url


class PoolLimits(NamedTuple):
    """The limits of a pool; times are in seconds."""

    size: int
    acquire_timeout_s: float
    max_age_s: float
    idle_check_s: float


class RedisOptions(SettingsGroup):
    """Times are in seconds, sizes in connections to one server. Every key begins with `prefix`."""

    url: Annotated[str, AfterValidator(_url)] = Field(
        "redis://127.0.0.1:6379/0",
        validation_alias="REDIS_URL",
        description="URL of Redis: redis://[user:password@]host:port/db (rediss:// for TLS), unix:///path, "
        "redis+sentinel://host:port,host:port/service/db or redis+cluster://host:port,host:port",
        repr=False,
    )
    pool_size: int = Field(
        16,
        validation_alias="REDIS_POOL_SIZE",
        description="Size of the pool of connections for commands, for each Redis master",
        ge=1,
    )
    acquire_timeout_s: float = Field(
        1.0,
        validation_alias="REDIS_ACQUIRE_TIMEOUT_S",
        description="Seconds that a call waits for a free connection",
        gt=0,
    )
    connect_timeout_s: float = Field(
        2.0, validation_alias="REDIS_CONNECT_TIMEOUT_S", description="Time limit in seconds for connecting to Redis", gt=0
    )
    command_timeout_s: float = Field(
        5.0,
        validation_alias="REDIS_COMMAND_TIMEOUT_S",
        description="Time limit in seconds for a command. Writes of webhooks have INGRESS_WRITE_BUDGET_MS instead",
        gt=0,
    )
    max_age_s: float = Field(
        3600.0,
        validation_alias="REDIS_MAX_AGE_S",
        description="Age in seconds at which a connection is replaced, as soon as it is idle",
        gt=0,
    )
    idle_check_s: float = Field(
        15.0,
        validation_alias="REDIS_IDLE_CHECK_S",
        description="Idle time in seconds after which a connection is checked with a PING",
        gt=0,
    )
    breaker_failures: int = Field(
        5,
        validation_alias="REDIS_BREAKER_FAILURES",
        description="Consecutive failures that open the circuit breaker of Redis; a successful probe closes it",
        ge=1,
    )
    prefix: Annotated[str, AfterValidator(check_prefix)] = Field(
        DEFAULT_PREFIX,
        validation_alias="HOOKLINE_PREFIX",
        description="Prefix of all Redis keys. Several installations can share one Redis with different prefixes, see "
        "docs/redis.md",
    )
    blocking_pool_size: int = 1
    """Connections for blocking reads. It has no variable, since their number depends on what reads."""

    @cached_property
    def server(self) -> RedisUrl:
        """The parsed URL."""
        return parse_redis_url(self.url)

    def with_blocking(self, connections: int) -> Self:
        """Return these options with `connections` for blocking reads."""
        return self.model_copy(update={"blocking_pool_size": connections})

    def pool_limits(self, size: int) -> PoolLimits:
        """Return the limits of a pool of `size` connections."""
        return PoolLimits(size, self.acquire_timeout_s, self.max_age_s, self.idle_check_s)
