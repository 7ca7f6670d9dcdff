"""Monitors Redis: where its masters are, whether they answer and accept writes, and whether they could lose events.

One pass finds the masters and probes each. While a breaker is open, only the pass talks to its server.
"""

import asyncio
import random
from typing import Final

from hookline_shared.breaker import State, probe_delay
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import SCHEMA
from hookline_shared.observability.logs import Logger
from hookline_shared.observability.metrics import REDIS_DATA_AT_RISK, REDIS_REPLICA_LAG_BYTES, REDIS_REPLICAS, REDIS_UP
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.node import Node
from hookline_shared.redis.nodes import Nodes
from hookline_shared.redis.probe import claim_layout, describe, noop_claim, noop_push, probe
from hookline_shared.redis.server_info import RISKS, risks
from hookline_shared.redis.topology import Locator
from hookline_shared.redis.url import Topology
from hookline_shared.redis_keys import Keys

_INTERVAL_S: Final = 1.0


class Monitor:
    """Keeps `nodes` and the readiness check up to date."""

    def __init__(
        self,
        nodes: Nodes,
        locator: Locator,
        keys: Keys,
        partitions: int,
        durability: Durability,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._nodes = nodes
        self._locator = locator
        self._durability = durability
        self._clock = clock
        self._logger = logger
        self._layout_key = keys.layout
        self._layout = {"partitions": str(partitions), "schema": SCHEMA}
        self._keys = [keys.layout, *(keys.probe(partition) for partition in range(partitions))]
        self._locating = asyncio.Lock()
        self._lost: str | None = None
        self._problem: str | None = "not connected yet"
        self._layout_held = False
        self._bad_passes = 0
        self._warned: set[str] = set()
        self._wake = asyncio.Event()
        self._passed = asyncio.Event()
        self._ready = asyncio.Event()

    def check(self) -> str | None:
        """Return the readiness check: None if Redis can be used, else the problem and what to do."""
        return self._problem

    def warnings(self) -> list[str]:
        """Return the risks of losing events, which do not keep the service from working."""
        found = [risk for node in self._nodes if node.info for risk in risks(node.info).values()]
        if self._lost:
            found.append(f"A failover would go unnoticed: {self._lost}")
        return list(dict.fromkeys(found))

    @property
    def ready(self) -> bool:
        """Whether Redis was found to have our layout, now or earlier."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Wait until `ready`."""
        await self._ready.wait()

    async def wait_answers(self, key: str) -> None:
        """Wait until the master of `key` answers a probe."""
        while not self._answers(key):
            await self._passed.wait()

    def wake(self) -> None:
        """Start the next pass now, since a command met a failure that the last pass did not."""
        if self._problem is None:
            self._wake.set()

    async def run(self) -> None:
        """Make passes for ever.

        Raises:
            LayoutMismatchError: if the data in Redis has another number of partitions or another schema.

        """
        while True:
            self._wake.clear()  # before, so that a failure during the pass causes another one
            await self.refresh()
            await self._pause()

    async def refresh(self) -> None:
        """Make one pass."""
        await self.locate()
        due = [node for node in self._nodes if not node.breaker.seconds_to_probe()]
        await asyncio.gather(*map(self._probe, due))
        self._report()

    async def locate(self) -> None:
        """Find the masters. If that fails, the known ones stay in use."""
        async with self._locating:
            try:
                slots = await self._locator.locate()
            except BrokerUnavailableError as error:
                self._lost = str(error)
                return
            self._lost = None
            await self._nodes.adopt(slots, self._keys)

    async def _pause(self) -> None:
        alarm = self._clock.call_later(self._delay(), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            alarm.cancel()

    def _delay(self) -> float:
        if not self._bad_passes:
            return _INTERVAL_S
        delay = probe_delay(self._bad_passes - 1, random.random())  # noqa: S311 - jitter, not a secret
        return min(
            [delay, *(node.breaker.seconds_to_probe() for node in self._nodes if node.breaker.state is not State.CLOSED)]
        )

    async def _probe(self, node: Node) -> None:
        own = [key for key in self._keys if self._nodes.has(node, key)]
        if not own:
            return  # it has just lost its slots
        try:
            with node.breaker.probe():
                key = own[-1]
                write = noop_claim(key, self._layout) if key == self._layout_key else noop_push(key)
                await probe(node, write, self._locator.topology, self._durability)
                if self._layout_key in own:
                    await claim_layout(node, self._layout_key, self._layout)
                    self._layout_held = True
            node.problem = None
        except BrokerUnavailableError as error:
            node.problem = str(error)
            node.features = None  # it may be another server or version when it is back
            await node.drop_idle()
        await node.check_idle()

    def _answers(self, key: str) -> bool:
        try:
            return self._nodes.of(key).problem is None
        except BrokerUnavailableError:
            return False

    def _report(self) -> None:
        """Log and publish what has changed since the last pass."""
        self._note(self._find_problem())
        self._note_risks()
        self._note_replicas()
        if self._layout_held:
            self._ready.set()
        passed, self._passed = self._passed, asyncio.Event()
        passed.set()

    def _find_problem(self) -> str | None:
        if not list(self._nodes):
            return self._lost or "The cluster serves none of the slots that are needed."
        if orphans := sum(not self._nodes.serve(key) for key in self._keys):
            return f"The cluster has no master for {orphans} of the {len(self._keys)} slots that are needed."
        found = next((node for node in self._nodes if node.problem or node.refusal), None)
        if found is None:
            return None
        where = "" if self._locator.topology is Topology.STANDALONE else f"{found.address}: "
        return f"{where}{found.problem or found.refusal}"

    def _note(self, problem: str | None) -> None:
        if problem != self._problem:
            if problem is None:
                servers = {describe(node.info) for node in self._nodes if node.info}
                self._logger.info("redis answers", servers=sorted(servers))
            else:
                self._logger.warning("redis unavailable", error=problem)
        self._problem = problem
        self._bad_passes = self._bad_passes + 1 if problem else 0
        REDIS_UP.set(problem is None)

    def _note_risks(self) -> None:
        found = {reason for node in self._nodes if node.info for reason in risks(node.info)}
        for reason in RISKS:
            REDIS_DATA_AT_RISK.labels(reason).set(reason in found)
        for warning in set(self.warnings()) - self._warned:
            self._logger.warning("redis could lose events", risk=warning)
        self._warned |= set(self.warnings())

    def _note_replicas(self) -> None:
        lags = [node.info.replica_lags for node in self._nodes if node.info]
        REDIS_REPLICAS.set(min(map(len, lags), default=0))
        REDIS_REPLICA_LAG_BYTES.set(max((min(own, default=0) for own in lags), default=0))
