"""The options of the connections to Redis. The defaults are those of the settings."""

from dataclasses import dataclass
from typing import NamedTuple

from hookline_shared.keys import DEFAULT_PREFIX
from hookline_shared.redis.url import RedisUrl


class PoolLimits(NamedTuple):
    """The limits of a pool; times are in seconds."""

    size: int
    acquire_timeout_s: float
    max_age_s: float
    idle_check_s: float


@dataclass(frozen=True)
class RedisOptions:
    """Times are in seconds, sizes in connections to one server. Every key begins with `prefix`."""

    url: RedisUrl
    prefix: str = DEFAULT_PREFIX
    pool_size: int = 16
    blocking_pool_size: int = 1
    acquire_timeout_s: float = 1.0
    connect_timeout_s: float = 2.0
    command_timeout_s: float = 5.0
    max_age_s: float = 3600.0
    idle_check_s: float = 15.0
    breaker_failures: int = 5

    def pool_limits(self, size: int) -> PoolLimits:
        """Return the limits of a pool of `size` connections."""
        return PoolLimits(size, self.acquire_timeout_s, self.max_age_s, self.idle_check_s)
