"""The servers in use, and which of them is the master of a key."""

from collections.abc import Callable, Iterable, Iterator

from hookline_shared.breaker import Breaker
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.observability.logs import Logger
from hookline_shared.redis.node import Node
from hookline_shared.redis.options import RedisOptions
from hookline_shared.redis.topology import SlotMap
from hookline_shared.redis.url import Address, Topology

MakeBreaker = Callable[[str], Breaker]
"""Creates the breaker with a name."""


class Nodes:
    """Has a node for each server that is the master of any of our keys."""

    def __init__(self, slots: SlotMap, options: RedisOptions, make_breaker: MakeBreaker, clock: Clock, logger: Logger) -> None:
        """Use `slots` until the first `adopt`."""
        self._options = options
        self._make_breaker = make_breaker
        self._clock = clock
        self._logger = logger
        self._slots = slots
        self._nodes: dict[Address, Node] = {}

    def __iter__(self) -> Iterator[Node]:
        return iter(tuple(self._nodes.values()))

    def of(self, key: str) -> Node:
        """Return the master of `key`.

        Raises:
            BrokerUnavailableError: if there is none now.

        """
        address = self._slots.master(key)
        if address is None:
            raise BrokerUnavailableError(
                "No Redis server is known for this command: none has been reached yet, or its slot has no master."
            )
        return self._nodes.get(address) or self._open(address)

    def has(self, node: Node, key: str) -> bool:
        """Whether `node` is the master of `key`."""
        return self._slots.master(key) == node.address

    def serve(self, key: str) -> bool:
        """Whether there is a master of `key`."""
        return self._slots.master(key) is not None

    def moved(self, key: str, address: Address) -> None:
        """Use `address` as the master of `key` until the next `adopt`."""
        self._slots.note(key, address)

    async def adopt(self, slots: SlotMap, keys: Iterable[str]) -> None:
        """Use `slots` from now on; close the connections to servers that are not the master of any of `keys`."""
        wanted = {address for key in keys if (address := slots.master(key)) is not None}
        gone = [node for address, node in self._nodes.items() if address not in wanted]
        self._slots = slots
        for node in gone:
            del self._nodes[node.address]
            await node.close()
        for address in sorted(wanted - self._nodes.keys()):
            self._open(address)
        if gone:
            self._logger.warning("redis master changed", masters=[str(node.address) for node in self._nodes.values()])

    async def close(self) -> None:
        """Close every connection."""
        for node in self._nodes.values():
            await node.close()

    def _open(self, address: Address) -> Node:
        clustered = self._options.server.topology is Topology.CLUSTER
        breaker = self._make_breaker(f"redis {address}" if clustered else "redis")
        self._nodes[address] = Node(address, self._options, breaker, self._clock)
        return self._nodes[address]
