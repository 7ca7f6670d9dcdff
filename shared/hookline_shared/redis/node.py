"""One Redis server: its connections, its breaker, and what was found out about it."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from redis.exceptions import RedisError

from hookline_shared.breaker import Breaker
from hookline_shared.clock import Clock
from hookline_shared.observability.metrics import REDIS_OPERATION_SECONDS
from hookline_shared.redis.connector import connector
from hookline_shared.redis.failures import translate
from hookline_shared.redis.options import RedisOptions
from hookline_shared.redis.pool import Pool, Words
from hookline_shared.redis.server_info import Features, ServerInfo
from hookline_shared.redis.url import Address

COMMANDS: Final = "commands"
BLOCKING: Final = "blocking"
"""Names of a node's pools: for commands that answer at once, and for reads that wait, which would use up the others."""


class Node:
    """The server at `address`.

    What the latest probe found: `problem` says why it cannot be used, `refusal` why it can be read but not written to as asked
    for, both None if all is well; `facts` and `features` are None until they are known.
    """

    def __init__(self, address: Address, options: RedisOptions, breaker: Breaker, clock: Clock) -> None:
        self.address = address
        self.breaker = breaker
        self.problem: str | None = "not connected yet"
        self.refusal: str | None = None
        self.facts: ServerInfo | None = None
        self.features: Features | None = None
        self._clock = clock
        connect = connector(address, options)
        sizes = {COMMANDS: options.pool_size, BLOCKING: options.blocking_pool_size}
        self.pools = {name: Pool(name, connect, options.pool_limits(size), clock) for name, size in sizes.items()}

    async def exchange(self, operation: str, commands: Sequence[Words], timeout_s: float, pool: str = COMMANDS) -> list[Any]:
        """Send `commands` on one connection, timing them as `operation`; return their answers, refusals as values.

        Raises:
            BreakerOpenError: at once, while the server is known not to answer.
            BrokerUnavailableError: if the answers did not come. Whether the commands were carried out is not known.

        """
        with self.breaker.guard():
            return await self.exchange_unguarded(operation, commands, timeout_s, pool)

    async def exchange_unguarded(
        self, operation: str, commands: Sequence[Words], timeout_s: float, pool: str = COMMANDS
    ) -> list[Any]:
        """Do as `exchange` does, whatever the breaker says: for the probe."""
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                return await self.pools[pool].exchange(commands)
        except (RedisError, OSError, TimeoutError) as error:
            await self.distrust()
            raise translate(error) from error
        finally:
            REDIS_OPERATION_SECONDS.of(operation).observe(self._clock.monotonic() - started)

    async def tend(self) -> None:
        """Recycle and check the idle connections."""
        for pool in self.pools.values():
            await pool.tend()

    async def distrust(self) -> None:
        """Close the idle connections. New ones may lead elsewhere, if a name in REDIS_URL means another server by now."""
        for pool in self.pools.values():
            await pool.drop_idle()

    async def close(self) -> None:
        """Close every connection; calls under way fail."""
        self.breaker.close()
        for pool in self.pools.values():
            await pool.close()
