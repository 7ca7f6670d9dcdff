"""One Redis server: its connections, its breaker, and the results of the latest probe."""

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
from hookline_shared.redis.pool import CommandArgs, Pool
from hookline_shared.redis.server_info import Features, ServerInfo
from hookline_shared.redis.url import Address

COMMANDS: Final = "commands"
BLOCKING: Final = "blocking"
"""Names of a node's pools: for commands that return at once, and for blocking reads, which would occupy the connections."""


class Node:
    """The server at `address`.

    The results of the latest probe: `problem` is why it cannot be used, `refusal` why it does not accept writes with the
    requested durability; each is None if there is no such problem. `info` and `features` are None until they are known.
    """

    def __init__(self, address: Address, options: RedisOptions, breaker: Breaker, clock: Clock) -> None:
        self.address = address
        self.breaker = breaker
        self.problem: str | None = "not connected yet"
        self.refusal: str | None = None
        self.info: ServerInfo | None = None
        self.features: Features | None = None
        self._clock = clock
        connect = connector(address, options)
        sizes = {COMMANDS: options.pool_size, BLOCKING: options.blocking_pool_size}
        self.pools = {name: Pool(name, connect, options.pool_limits(size), clock) for name, size in sizes.items()}

    async def exchange(
        self, operation: str, commands: Sequence[CommandArgs], timeout_s: float, pool: str = COMMANDS
    ) -> list[Any]:
        """Send `commands` on one connection, timing them as `operation`; return their answers, refusals as values.

        Raises:
            BreakerOpenError: at once, while the breaker is open.
            BrokerUnavailableError: if there was no answer. Whether the commands were carried out is not known.

        """
        with self.breaker.guard():
            return await self.exchange_unguarded(operation, commands, timeout_s, pool)

    async def exchange_unguarded(
        self, operation: str, commands: Sequence[CommandArgs], timeout_s: float, pool: str = COMMANDS
    ) -> list[Any]:
        """Do the same without the breaker, for the probe."""
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                return await self.pools[pool].exchange(commands)
        except (RedisError, OSError, TimeoutError) as error:
            await self.drop_idle()
            raise translate(error) from error
        finally:
            REDIS_OPERATION_SECONDS.of(operation).observe(self._clock.monotonic() - started)

    async def check_idle(self) -> None:
        """Recycle and check the idle connections."""
        for pool in self.pools.values():
            await pool.check_idle()

    async def drop_idle(self) -> None:
        """Close the idle connections. New ones may lead to another server, if a name in REDIS_URL resolves to it now."""
        for pool in self.pools.values():
            await pool.drop_idle()

    async def close(self) -> None:
        """Close every connection; calls in progress fail."""
        self.breaker.close()
        for pool in self.pools.values():
            await pool.close()
