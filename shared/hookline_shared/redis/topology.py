"""Finds the master of each hash slot: one fixed server, the one that the Sentinels name, or those of the cluster."""

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from redis.crc import key_slot
from redis.exceptions import RedisError, ResponseError

from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.redis.connector import connector
from hookline_shared.redis.failures import translate
from hookline_shared.redis.options import RedisOptions
from hookline_shared.redis.pool import CommandArgs, Pool
from hookline_shared.redis.url import Address, Topology

_DISCOVERY: Final = "discovery"
_ASK_TIMEOUT_S: Final = 1.0
_SLOTS: Final = 16384


class SlotRange(NamedTuple):
    """The slots from `first` to `last`, both included, and their master."""

    first: int
    last: int
    master: Address


class SlotMap:
    """The master of each hash slot. Slots without a master are missing."""

    def __init__(self, ranges: Iterable[SlotRange]) -> None:
        self._ranges = sorted(ranges)
        self._firsts = [found.first for found in self._ranges]
        self._moved: dict[int, Address] = {}
        self._only = self._ranges[0].master if [found[:2] for found in self._ranges] == [(0, _SLOTS - 1)] else None

    def note(self, key: str, master: Address) -> None:
        """Correct the map: `master` is the master of the slot of `key`."""
        self._moved[key_slot(key.encode())] = master
        self._only = None

    def master(self, key: str) -> Address | None:
        """Return the master of `key`."""
        if self._only is not None:
            return self._only
        slot = key_slot(key.encode())
        if slot in self._moved:
            return self._moved[slot]
        at = bisect_right(self._firsts, slot) - 1
        if at < 0 or slot > self._ranges[at].last:
            return None
        return self._ranges[at].master


class Locator(Protocol):
    """Finds the masters. `known` is the map before the first call of `locate`."""

    topology: Topology
    known: SlotMap

    async def locate(self) -> SlotMap:
        """Return the present masters.

        Raises:
            BrokerUnavailableError: if they could not be found.

        """
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


def locator(options: RedisOptions, clock: Clock) -> Locator:
    """Return the locator for the topology in REDIS_URL."""
    match options.server.topology:
        case Topology.STANDALONE:
            return Standalone(options.server.addresses[0])
        case Topology.SENTINEL:
            return Sentinels(options, clock)
        case Topology.CLUSTER:
            return Cluster(options, clock)


class Standalone:
    """One server with a fixed address."""

    topology = Topology.STANDALONE

    def __init__(self, address: Address) -> None:
        self.known = single_master(address)

    async def locate(self) -> SlotMap:
        """Return the one address."""
        return self.known

    async def close(self) -> None:
        """Do nothing: there are no connections."""


class Sentinels:
    """The master that the Sentinels name. They are asked in turn until one answers, first the one that answered last."""

    topology = Topology.SENTINEL

    def __init__(self, options: RedisOptions, clock: Clock) -> None:
        self._service = options.server.service
        self._connections = ControlConnections(options, clock, sentinel=True)
        self._addresses = list(options.server.addresses)
        self.known = SlotMap(())

    async def locate(self) -> SlotMap:
        """Ask the Sentinels for the address of the master."""
        errors: list[str] = []
        for sentinel in list(self._addresses):
            try:
                answer = await self._connections.ask(sentinel, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service))
            except BrokerUnavailableError as error:
                errors.append(_of_sentinel(sentinel, error))
                continue
            if answer is not None:
                self._prefer(sentinel)
                host, port = answer
                return single_master(Address(host.decode(), int(port)))
            errors.append(f"{sentinel} does not monitor a service {self._service!r}; the end of REDIS_URL must be its name.")
        raise BrokerUnavailableError(f"No Sentinel knows where the master is. {' '.join(errors)}")

    async def close(self) -> None:
        """Close the connections to the Sentinels."""
        await self._connections.close()

    def _prefer(self, sentinel: Address) -> None:
        self._addresses.remove(sentinel)
        self._addresses.insert(0, sentinel)


class Cluster:
    """The masters that the nodes of a cluster name. Each time another node is asked first, since a node that is cut off from
    the others does not know that it is no longer a master."""

    topology = Topology.CLUSTER

    def __init__(self, options: RedisOptions, clock: Clock) -> None:
        self._seeds = options.server.addresses
        self._connections = ControlConnections(options, clock)
        self._nodes: list[Address] = []
        self.known = SlotMap(())

    async def locate(self) -> SlotMap:
        """Ask the nodes for the slots."""
        errors: list[str] = []
        for node in dict.fromkeys([*self._nodes, *self._seeds]):
            try:
                answer = await self._connections.ask(node, ("CLUSTER", "SLOTS"))
            except BrokerUnavailableError as error:
                errors.append(_of_node(node, error))
                continue
            if answer:
                ranges = [_range(row, node) for row in answer]
                self._remember(node, answer)
                return SlotMap(ranges)
            errors.append(f"{node} knows no slots: has the cluster been created?")
        raise BrokerUnavailableError(f"No node of the cluster knows where the slots are. {' '.join(errors)}")

    async def close(self) -> None:
        """Close the connections to the nodes that were asked."""
        await self._connections.close()

    def _remember(self, asked: Address, rows: Sequence[Any]) -> None:
        nodes = {_address(described, asked): None for row in rows for described in row[2:]}
        nodes.pop(asked, None)
        self._nodes = [*nodes, asked]


class ControlConnections:
    """One connection to each server that is asked for the masters."""

    def __init__(self, options: RedisOptions, clock: Clock, *, sentinel: bool = False) -> None:
        self._options = options
        self._clock = clock
        self._sentinel = sentinel
        self._pools: dict[Address, Pool] = {}

    async def ask(self, address: Address, words: CommandArgs) -> Any:
        """Return the answer of the server at `address`.

        Raises:
            BrokerUnavailableError: if it did not answer, or refused.

        """
        pool = self._pools.get(address) or self._open(address)
        try:
            async with asyncio.timeout(_ASK_TIMEOUT_S):
                (answer,) = await pool.exchange([words])
        except (RedisError, OSError, TimeoutError) as error:
            raise _as_unavailable(error) from error
        if isinstance(answer, ResponseError):
            raise _as_unavailable(answer)
        return answer

    async def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.close()

    def _open(self, address: Address) -> Pool:
        connect = connector(address, self._options, sentinel=self._sentinel)
        self._pools[address] = Pool(_DISCOVERY, connect, self._options.pool_limits(1), self._clock)
        return self._pools[address]


def single_master(address: Address) -> SlotMap:
    """Return the map in which `address` is the master of all slots."""
    return SlotMap([SlotRange(0, _SLOTS - 1, address)])


def _range(row: Sequence[Any], asked: Address) -> SlotRange:
    first, last, master = row[:3]
    return SlotRange(first, last, _address(master, asked))


def _address(described: Sequence[Any], asked: Address) -> Address:
    """Return the address of a node; if it does not know its own host, that of the node that was asked."""
    host = (described[0] or b"").decode()
    return Address(host if host not in ("", "?") else asked.host, int(described[1]))


def _as_unavailable(error: Exception) -> BrokerUnavailableError:
    translated = translate(error)
    return translated if isinstance(translated, BrokerUnavailableError) else BrokerUnavailableError(str(translated))


def _of_sentinel(sentinel: Address, error: BrokerUnavailableError) -> str:
    if "unknown command" in str(error).lower():
        return f"{sentinel} is not a Sentinel, but a Redis server: is the port right?"
    return f"{sentinel}: {error}"


def _of_node(node: Address, error: BrokerUnavailableError) -> str:
    if "cluster support disabled" in str(error):
        return f"{node} is a single server, not a node of a cluster: begin REDIS_URL with redis://."
    return f"{node}: {error}"
