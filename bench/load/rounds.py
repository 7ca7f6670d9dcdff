"""Rounds of load: as many webhooks as a server takes, over a number of connections, from the load generator's process."""

from math import ceil
from typing import Final

import msgspec

from bench.environment import Environment
from bench.errors import NoAnswerError
from bench.load.plan import Outcome, Plan
from bench.system import machine
from bench.system.private_redis import PrivateRedis
from bench.system.processes import Child, module, running

_LEAD_IN_S: Final = 0.3
_RATE_BEFORE_KNOWN: Final = 20_000
_LEAST_RATE: Final = 8_000  # planned for even after a warm-up that something disturbed
_HEADROOM: Final = 2
_LOAD_TIMEOUT_S: Final = 60.0


class Target(msgspec.Struct):
    """A server under load, and the fastest it has been so far, in requests per second. It is named after its first process."""

    children: tuple[Child, ...]
    port: int
    redis: PrivateRedis
    fastest: float = _RATE_BEFORE_KNOWN

    @property
    def name(self) -> str:
        """The name in the tables."""
        return self.children[0].name

    def check(self) -> None:
        """Raise an error if one of its processes has ended.

        Raises:
            ChildDiedError: if one does not.

        """
        for child in self.children:
            child.check()

    def watched(self) -> dict[str, int]:
        """Return the processes whose CPU time counts."""
        others = {child.name: child.pid for child in self.children[1:]}
        return {"service": self.children[0].pid, **others, "redis": self.redis.pid}

    def window_mb(self) -> float | None:
        """Return the resident memory of all its processes, where the system tells."""
        known = [found for child in self.children if (found := machine.window_mb(child.pid)) is not None]
        return sum(known) if known else None


class ClosedLoop:
    """The load of a benchmark. No message of its is sent twice, whichever target it is for."""

    def __init__(self, environment: Environment, connections: int) -> None:
        self.connections = connections
        self._environment = environment
        self._sent = 0

    def warm_up(self, target: Target, seconds: float) -> None:
        """Run a round that counts for nothing, and learn from it how fast `target` is.

        Raises:
            BenchError: if a process ends, or accepts nothing.

        """
        target.fastest = max(_LEAST_RATE, self.round(target, seconds).rate)

    def round(self, target: Target, seconds: float) -> Outcome:
        """Empty the Redis of `target` and send to it for `seconds`.

        Raises:
            BenchError: if a process ends, or accepts nothing.

        """
        target.redis.empty()
        plan = self._plan(target, seconds)
        self._sent += plan.requests
        try:
            outcome = self._send(target, plan)
        finally:
            target.check()  # its death explains whatever the load met
        target.fastest = max(target.fastest, outcome.rate)
        return outcome

    def _send(self, target: Target, plan: Plan) -> Outcome:
        with running(
            "load", module("bench.load.closed_loop"), self._environment.directory, self._environment.cores.rest, pipes=True
        ) as load:
            answer = load.talk(msgspec.json.encode(plan), _LOAD_TIMEOUT_S + plan.seconds)
            outcome = msgspec.json.decode(answer, type=Outcome)
            if not outcome.answered:
                raise NoAnswerError(target.name, outcome.failures, load.written() or target.children[0].written())
        return outcome

    def _plan(self, target: Target, seconds: float) -> Plan:
        """Plan one round, with requests enough for the fastest that this target has been, and as many again."""
        return Plan(
            port=target.port,
            connections=self.connections,
            lead_in_s=_LEAD_IN_S,
            seconds=seconds,
            first=self._sent,
            requests=ceil(target.fastest * _HEADROOM * (seconds + _LEAD_IN_S)) + self.connections,
            watched=target.watched(),
            cores=self._environment.cores.named(),
        )
