"""The manager of all connections to Redis: it sends every command of both services to the right server."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha1
from typing import Any, Final, NamedTuple, Self

from redis.exceptions import MovedError, NoScriptError, ResponseError

from hookline_shared.breaker import Breaker, BreakerOpenError
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.observability.logs import Logger
from hookline_shared.observability.metrics import REDIS_POOL_CONNECTIONS
from hookline_shared.redis.answer_limit import AnswerTooLargeError
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.failures import is_redirect, translate
from hookline_shared.redis.monitor import Monitor
from hookline_shared.redis.node import BLOCKING, COMMANDS, Node
from hookline_shared.redis.nodes import Nodes
from hookline_shared.redis.options import RedisOptions
from hookline_shared.redis.pool import CommandArgs, PoolExhaustedError
from hookline_shared.redis.topology import locator
from hookline_shared.redis.url import Address, Topology
from hookline_shared.redis_keys import Keys

_MIN_TIMEOUT_S: Final = 0.01
"""The least time for sending a script as a whole, even if finding out that Redis does not know it took all the time."""


class Command(NamedTuple):
    """A command, and the key that decides to which server it is sent."""

    key: str
    words: CommandArgs


class Script(NamedTuple):
    """A Lua script and its SHA-1, by which Redis knows it."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the script with this source."""
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


class ScriptCall(NamedTuple):
    """A call of a script. In a cluster, all `keys` are of one slot."""

    keys: Sequence[str]
    arguments: Sequence[str | bytes | int]


class _Request(NamedTuple):
    """The properties that the commands of one call share."""

    operation: str
    timeout_s: float
    pool: str
    durability: Durability


class RedisConnectionManager:
    """Owns every connection to Redis. `monitor` watches the masters; its `run` must be running.

    `keys` are those of the installation. `clock` is what it measures time with.

    Nothing is sent twice, except commands that a server refused because it is not the master. A write whose answer was lost may
    have happened; only the caller knows whether it is safe to repeat.
    """

    def __init__(
        self,
        options: RedisOptions,
        partitions: int,
        clock: Clock,
        logger: Logger,
        durability: Durability = Durability.MEMORY,
    ) -> None:
        """Prepare, without connecting. `durability` is that of durable calls of `run`."""
        self.keys = Keys(options.prefix)
        self.clock = clock
        self._command_timeout_s = options.command_timeout_s
        self._durability = durability
        self._locator = locator(options, clock)
        self._nodes = Nodes(self._locator.known, options, lambda name: _breaker(name, options, clock, logger), clock, logger)
        self.monitor = Monitor(self._nodes, self._locator, self.keys, partitions, durability, clock, logger)
        self._show_pools()

    @property
    def clustered(self) -> bool:
        """Whether Redis is a cluster, in which a script may use keys of one partition only."""
        return self._locator.topology is Topology.CLUSTER

    async def execute(
        self, operation: str, key: str, *words: str | bytes | int, timeout_s: float | None = None, pool: str = COMMANDS
    ) -> Any:
        """Send a command to the master of `key`, timed as `operation`; return the answer of the server.

        Raises:
            GroupMissingError: if Redis answered NOGROUP.
            CommandRefusedError: if it refused the content of the command.
            BrokerUnavailableError: on any other failure. Whether a write happened is not known.

        """
        request = self._request(operation, timeout_s, pool=pool)
        (answer,) = await self._ask(request, [Command(key, words)])
        if isinstance(answer, Exception):
            raise translate(answer) from answer
        return answer

    async def pipeline(self, operation: str, commands: Sequence[Command], timeout_s: float | None = None) -> list[Any]:
        """Send `commands` together; return their answers as `execute` does, errors as values."""
        return _translated(await self._ask(self._request(operation, timeout_s), commands))

    async def run(
        self,
        operation: str,
        script: Script,
        calls: Sequence[ScriptCall],
        timeout_s: float | None = None,
        *,
        durable: bool = False,
    ) -> list[Any]:
        """Run `script` once for each of `calls`; return the answers, errors as values. If `durable`, wait until they are."""
        request = self._request(operation, timeout_s, durability=self._durability if durable else Durability.MEMORY)
        started = self.clock.monotonic()
        answers = await self._ask(request, [_evaluate("EVALSHA", script.sha, call) for call in calls])
        unknown = [at for at, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            whole = [_evaluate("EVAL", script.text, calls[at]) for at in unknown]
            left_s = max(_MIN_TIMEOUT_S, request.timeout_s - (self.clock.monotonic() - started))
            _put(answers, unknown, await self._ask(request._replace(timeout_s=left_s), whole))
        return _translated(answers)

    def one_for_each_master(self, keys: Iterable[str]) -> list[str]:
        """Return one of `keys` for each master that has any of them.

        Raises:
            BrokerUnavailableError: if one of them has no master now.

        """
        return list({self._nodes.of(key): key for key in keys}.values())

    def by_master(self, keys: Sequence[str]) -> list[list[int]]:
        """Return the indexes of `keys` of each master; those that have none now are left out."""
        groups = self._by_master([Command(key, ()) for key in keys])
        return [places for node, places in groups.items() if isinstance(node, Node)]

    async def close(self) -> None:
        """Close every connection."""
        await self._nodes.close()
        await self._locator.close()

    def _request(
        self,
        operation: str,
        timeout_s: float | None = None,
        pool: str = COMMANDS,
        durability: Durability = Durability.MEMORY,
    ) -> _Request:
        return _Request(operation, timeout_s or self._command_timeout_s, pool, durability)

    async def _ask(self, request: _Request, commands: Sequence[Command]) -> list[Any]:
        """Send each command to its master, and once more to another server if that answers that it is not the master."""
        started = self.clock.monotonic()
        answers = await self._ask_masters(request, commands)
        redirected = [at for at, answer in enumerate(answers) if isinstance(answer, ResponseError) and is_redirect(answer)]
        if redirected and self._locator.topology is not Topology.STANDALONE:
            left_s = request.timeout_s - (self.clock.monotonic() - started)
            with suppress(TimeoutError):  # then the refusal is the answer
                async with asyncio.timeout(left_s):
                    await self._find_masters([(commands[at].key, answers[at]) for at in redirected])
                    _put(answers, redirected, await self._ask_masters(request, [commands[at] for at in redirected]))
        return answers

    async def _find_masters(self, refused: Sequence[tuple[str, ResponseError]]) -> None:
        """Find the masters: the node of a cluster names them in its refusal, otherwise the Sentinels know them."""
        if not self.clustered:
            await self.monitor.locate()
        for key, answer in refused:
            if isinstance(answer, MovedError):
                self._nodes.moved(key, Address(answer.host, answer.port))
        self.monitor.wake()

    async def _ask_masters(self, request: _Request, commands: Sequence[Command]) -> list[Any]:
        groups = self._by_master(commands)
        if len(groups) == 1:
            return list(await self._ask_master(next(iter(groups)), request, [command.words for command in commands]))
        answers: list[Any] = [None] * len(commands)
        asked = (self._ask_master(node, request, [commands[at].words for at in places]) for node, places in groups.items())
        for places, own in zip(groups.values(), await asyncio.gather(*asked), strict=True):
            _put(answers, places, own)
        return answers

    def _by_master(self, commands: Sequence[Command]) -> dict[Node | BrokerUnavailableError, list[int]]:
        """Return the indexes of the commands of each master; those without a master are under the error that says so."""
        groups: dict[Node | BrokerUnavailableError, list[int]] = {}
        for at, command in enumerate(commands):
            try:
                groups.setdefault(self._nodes.of(command.key), []).append(at)
            except BrokerUnavailableError as error:
                groups[error] = [at]
        return groups

    async def _ask_master(
        self, node: Node | BrokerUnavailableError, request: _Request, commands: list[CommandArgs]
    ) -> Sequence[Any]:
        """Return the answers of one master, or the same error for all commands."""
        if isinstance(node, BrokerUnavailableError):
            return [node] * len(commands)
        closing = request.durability.closing(node.features, request.timeout_s)
        whole = [*commands, closing] if closing else commands
        try:
            answers = await node.exchange(request.operation, whole, request.timeout_s, request.pool)
        except BreakerOpenError as error:
            return [BrokerUnavailableError(str(error))] * len(commands)
        except BrokerUnavailableError as error:
            self.monitor.wake()
            return [error] * len(commands)
        if closing and (shortfall := request.durability.shortfall(answers.pop())):
            return [answer if isinstance(answer, Exception) else shortfall for answer in answers]
        return answers

    def _show_pools(self) -> None:
        for pool in (COMMANDS, BLOCKING):
            for state in ("in_use", "idle", "waiting"):
                REDIS_POOL_CONNECTIONS.labels(pool, state).set_function(partial(self._count, pool, state))

    def _count(self, pool: str, state: str) -> float:
        return float(sum(getattr(node.pools[pool], state) for node in self._nodes))


def _breaker(name: str, options: RedisOptions, clock: Clock, logger: Logger) -> Breaker:
    """Return the breaker of a server. An exhausted pool or an answer that is too large is not a failure of the server."""
    ours = (PoolExhaustedError, AnswerTooLargeError)
    return Breaker(name, clock, logger, fail_max=options.breaker_failures, counts=lambda error: not isinstance(error, ours))


def _evaluate(command: str, script: str, call: ScriptCall) -> Command:
    return Command(call.keys[0], (command, script, len(call.keys), *call.keys, *call.arguments))


def _put(answers: list[Any], places: Sequence[int], found: Sequence[Any]) -> None:
    for at, answer in zip(places, found, strict=True):
        answers[at] = answer


def _translated(answers: Sequence[Any]) -> list[Any]:
    return [translate(answer) if isinstance(answer, Exception) else answer for answer in answers]
