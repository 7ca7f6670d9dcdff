"""The connections to Redis: one pool for short commands, one for blocking reads, and a watch over both."""

import asyncio
import random
import re
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final, TypeVar

import hiredis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared import keys
from shared.clock import Clock
from shared.errors import BrokerUnavailableError, CommandRefusedError, GroupMissingError, HooklineError, LayoutMismatchError
from shared.event import SCHEMA
from shared.logs import Logger
from shared.metrics import REDIS_OPERATION_SECONDS, REDIS_UP

Result = TypeVar("Result")

_SCRIPTS: Final = Path(__file__).parent / "scripts"
_COMMAND_TIMEOUT_S: Final = 5.0
_CONNECT_TIMEOUT_S: Final = 2.0
_PROBE_INTERVAL_S: Final = 1.0
_PROBE_BACKOFF_MAX_S: Final = 10.0


class RedisConnectionManager:
    """Owns every connection to Redis.

    Nothing is resent by itself: a write whose answer was lost may have happened, and only the caller knows whether it is
    safe to repeat. A call that timed out or was cancelled closes its connection, so that no later call reads its answer.
    """

    def __init__(self, url: str, partitions: int, clock: Clock, logger: Logger, *, blocking: int = 1) -> None:
        """Prepare, without connecting. `blocking` is how many blocking reads run at once."""
        self._partitions = partitions
        self._clock = clock
        self._logger = logger
        self._commands = _client(url, max_connections=16)
        self._blocking = _client(url, max_connections=blocking)
        self._problem: str | None = "not connected yet"
        self._ready = asyncio.Event()
        self._answers = asyncio.Event()

    @property
    def commands(self) -> "Redis":
        """The client for commands that answer at once."""
        return self._commands

    @property
    def blocking(self) -> "Redis":
        """The client for reads that wait, each on a connection of its own."""
        return self._blocking

    def script(self, name: str) -> AsyncScript:
        """Load `scripts/<name>.lua`; it is sent by its hash, and whole only where Redis does not know it."""
        return self._commands.register_script((_SCRIPTS / f"{name}.lua").read_text())

    def check(self) -> str | None:
        """Give the readiness check: None while Redis answers, else what is wrong and what to do."""
        return self._problem

    @property
    def ready(self) -> bool:
        """Whether Redis has answered once and its layout is ours; nothing may be written before."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Wait until `ready`."""
        await self._ready.wait()

    async def wait_answers(self) -> None:
        """Wait until Redis answered the latest probe."""
        await self._answers.wait()

    async def call(self, operation: str, command: Awaitable[Result], timeout_s: float = _COMMAND_TIMEOUT_S) -> Result:
        """Await `command` for at most `timeout_s`, timing it as `operation`.

        Raises:
            GroupMissingError: if Redis answered NOGROUP.
            BrokerUnavailableError: on anything else that kept Redis from doing it. Whether a write happened is not known.

        """
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                return await command
        except (RedisError, OSError, TimeoutError) as error:
            raise translate(error) from error
        finally:
            REDIS_OPERATION_SECONDS.labels(operation).observe(self._clock.monotonic() - started)

    async def watch(self) -> None:
        """Probe Redis for ever, keeping the readiness check true. Returns only by raising.

        Raises:
            LayoutMismatchError: if the data in Redis was laid out with other partitions or another schema.

        """
        failures = 0
        while True:
            failures = 0 if await self._probe() else failures + 1
            await self._clock.sleep(_probe_delay(failures, random.random()))  # noqa: S311 - jitter, not a secret

    async def close(self) -> None:
        """Close every connection."""
        await self._commands.aclose()
        await self._blocking.aclose()

    async def _probe(self) -> bool:
        try:
            refused = await self._claim_layout()
        except BrokerUnavailableError as error:
            self._answers.clear()
            self._note(str(error))
            return False
        self._ready.set()
        self._answers.set()
        self._note(refused)
        return True

    async def _claim_layout(self) -> str | None:
        """Write our layout if Redis has none, then compare.

        As a probe this is better than a PING: it heals a flushed layout, and tells, in what it gives, why Redis takes no write.
        A Redis without memory must still be read and settled, or it would never have memory again.
        """
        ours = {"partitions": str(self._partitions), "schema": SCHEMA.decode()}
        pipeline = self._commands.pipeline(transaction=False)
        for name, value in ours.items():
            pipeline.hsetnx(keys.LAYOUT, name, value)
        pipeline.hmget(keys.LAYOUT, list(ours))
        *writes, found = await self.call("probe", pipeline.execute(raise_on_error=False))
        refused = next((translate(answer) for answer in writes if isinstance(answer, Exception)), None)
        if isinstance(found, Exception) or None in found:
            raise refused or translate(found)
        for (name, value), actual in zip(ours.items(), found, strict=True):
            if actual.decode() != value:
                raise LayoutMismatchError(name, actual.decode(), value, _LAYOUT_REMEDIES[name])
        return str(refused) if refused else None

    def _note(self, problem: str | None) -> None:
        if problem != self._problem:
            if problem is None:
                self._logger.info("redis answers")
            else:
                self._logger.warning("redis unavailable", error=problem)
        self._problem = problem
        REDIS_UP.set(problem is None)


_LAYOUT_REMEDIES: Final = {
    "partitions": "Set HOOKLINE_PARTITIONS to what Redis holds: changing it would scatter conversations.",
    "schema": "Run the version of Hookline that wrote it until its backlog is settled.",
}


def _client(url: str, max_connections: int) -> "Redis":
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=_COMMAND_TIMEOUT_S,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=None,  # every call has its own, see RedisConnectionManager.call
        socket_connect_timeout=_CONNECT_TIMEOUT_S,
        client_name="hookline",
    )
    pool.connection_class = type("Connection", (_PackedByHiredis, pool.connection_class), {})
    client = Redis.from_pool(pool)
    client.set_response_callback("XREADGROUP", _as_sent)
    return client


class _PackedByHiredis:
    """Packs commands in C. The asyncio connections do it in Python, which took a tenth of ingress' time."""

    def pack_command(self, *words: Any) -> list[bytes]:
        """Give `words` as they go over the wire; the first may be a command of two words, such as "XGROUP CREATE"."""
        return [hiredis.pack_command((*words[0].split(), *words[1:]))]


def _as_sent(response: Any, **_options: Any) -> Any:
    """Keep a stream reply as the server sent it: entries are decoded once, by those who handle them."""
    return response


def _probe_delay(failures: int, jitter: float) -> float:
    """Seconds until the next probe: one while all is well, then doubling, less up to a half at random (`jitter`, 0 to 1)."""
    delay: float = min(_PROBE_INTERVAL_S * 2 ** max(0, failures - 1), _PROBE_BACKOFF_MAX_S)
    return delay * (1 - jitter / 2) if failures else delay


_SERVER_STATE: Final = re.compile(
    r"(^|[-\s])(OOM|LOADING|READONLY|MASTERDOWN|NOREPLICAS|MISCONF|BUSY|TRYAGAIN|CLUSTERDOWN|NOPERM)\b|can't run this command"
)
"""In a refusal: it has to do with the server's state or the user's rights, not with the command. Before Redis 7, the error of a
script quotes the one it met."""


def translate(error: Exception) -> HooklineError:
    """Give our error for one of the client's."""
    if str(error).startswith("NOGROUP"):
        return GroupMissingError(f"Redis lost a consumer group: {error}")
    passing = isinstance(error, NoPermissionError | OutOfMemoryError | ReadOnlyError) or _SERVER_STATE.search(str(error))
    if isinstance(error, ResponseError) and not passing:
        return CommandRefusedError(_explain(error))
    return BrokerUnavailableError(_explain(error))


def _explain(error: Exception) -> str:
    if isinstance(error, AuthenticationError | AuthorizationError):
        return f"Redis refused the user or password ({error}). Check the ones in REDIS_URL."
    if isinstance(error, NoPermissionError):
        return f"The Redis user may not do this ({error}). Grant it with ACL SETUSER."
    if isinstance(error, TimeoutError | RedisTimeoutError):
        return "Redis did not answer in time. Is it overloaded, stopped, or behind a firewall?"
    if isinstance(error, ResponseError):
        return f"Redis refused the command: {error}"
    return f"Redis cannot be reached: {error}. Is it running, and is REDIS_URL right?"
