"""A connection to the Redis that the services use."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from hookline_cli.settings.running import find_running
from hookline_shared.clock import SystemClock
from hookline_shared.errors import BrokerUnavailableError, HooklineError
from hookline_shared.observability.logs import configure_logs, get_logger
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.settings.base import SharedSettings
from hookline_shared.streams.backlog import partitions_in_use

_NEVER: Final = 1_000_000_000
"""Failures until the breaker opens: nothing here closes it again. A command is too short for it, and the console tries anew."""

HIDDEN_REDIS: Final = "The REDIS_URL of `hookline up` has a password, so it was not saved. Set REDIS_URL here, too."


class RedisSessionError(HooklineError):
    """The Redis of the services cannot be found, or no service has used it."""


class RedisSession(NamedTuple):
    """A connection manager, the number of partitions in its data, and the topics of the settings."""

    redis: RedisConnectionManager
    partitions: int
    topics: Collection[str] = ()


def find_settings(data: Path) -> SharedSettings:
    """Return the settings, with those of the `hookline up` that runs in folder `data`, if one does. Configures the logs.

    Raises:
        SettingsError: if a setting is invalid.
        RedisSessionError: if its REDIS_URL was not saved.

    """
    running = find_running(data)
    settings = SharedSettings.load(running.adopted)
    if running.hidden_redis:
        raise RedisSessionError(HIDDEN_REDIS)
    configure_logs("error", "console", settings.secrets())
    return settings


@asynccontextmanager
async def open_redis_session(settings: SharedSettings, waiting_reads: int = 1) -> AsyncIterator[RedisSession]:
    """Yield a session with connections for `waiting_reads` blocking reads; close it at the end.

    Raises:
        RedisSessionError: if Redis does not answer, or no service has ever used it.

    """
    redis = connect(settings, waiting_reads)
    try:
        yield await find_session(redis, settings)
    finally:
        await redis.close()


def connect(settings: SharedSettings, waiting_reads: int = 1) -> RedisConnectionManager:
    """Return a connection manager whose breaker stays closed, with connections for `waiting_reads` blocking reads."""
    options = msgspec.structs.replace(settings.redis, blocking_pool_size=waiting_reads, breaker_failures=_NEVER)
    return RedisConnectionManager(options, settings.partitions, SystemClock(), get_logger("hookline"))


async def find_session(redis: RedisConnectionManager, settings: SharedSettings) -> RedisSession:
    """Return a session with the masters as they are now.

    Raises:
        RedisSessionError: if Redis does not answer, or no service has ever used it.

    """
    partitions = await _find_partitions(redis)
    if partitions is None:
        raise RedisSessionError(
            f"No Hookline service has used this Redis with the prefix {settings.redis.prefix} yet. Set REDIS_URL and "
            "HOOKLINE_PREFIX to the values that the services have."
        )
    return RedisSession(redis, partitions, settings.topics)


async def _find_partitions(redis: RedisConnectionManager) -> int | None:
    await redis.monitor.locate()
    try:
        return await partitions_in_use(redis)
    except BrokerUnavailableError as error:  # the monitor has the answers of Sentinels and cluster nodes
        raise RedisSessionError(" ".join([str(error), *redis.monitor.warnings()])) from error
