"""How many webhooks per second ingress takes, beside bare aiohttp on the same core."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import ceil
from typing import Final

import msgspec

from bench import machine, webhooks
from bench.bed import Bed
from bench.errors import NoAnswerError
from bench.figures import IngressFigures
from bench.plan import Outcome, Plan
from bench.probes import accepts, is_ready
from bench.processes import Child, free_port, module, running

STARTS: Final = 3
_LEAD_IN_S: Final = 0.3
_WARM_UP_S: Final = 1.0
_RATE_BEFORE_KNOWN: Final = 20_000
_LEAST_RATE: Final = 8_000  # planned for even after a warm-up that something disturbed
_HEADROOM: Final = 2
_LOAD_TIMEOUT_S: Final = 60.0


class Target(msgspec.Struct):
    """A server under load, and the fastest it has been so far, in requests per second."""

    child: Child
    port: int
    fastest: float = _RATE_BEFORE_KNOWN


class IngressRounds:
    """Takes turns between the two servers. `seconds` is how long one round is measured."""

    def __init__(self, bed: Bed, connections: int, seconds: float) -> None:
        self._bed = bed
        self._connections = connections
        self._seconds = seconds
        self._sent = 0

    def run(self, rounds: int) -> IngressFigures:
        """Measure `rounds` pairs of rounds.

        Raises:
            BenchError: if a process ends or hangs.

        """
        ready = self._starts()
        with ExitStack() as stack:
            bare = stack.enter_context(self._bare())
            ingress = stack.enter_context(self._ingress(ready))
            self._bed.journal.note(f"ingress ready after {ready[-1]:.2f} s")
            figures = IngressFigures(connections=self._connections, bare=[], ingress=[], ready_s=ready, memory_mb=[])
            self._warm_up(bare, ingress)
            for number in range(1, rounds + 1):
                self._pair(f"{number}/{rounds}", bare, ingress, figures)
        return figures

    def _starts(self) -> list[float]:
        """Start ingress a few times, only to see how long it takes until it is ready."""
        self._bed.journal.doing("starting ingress")
        ready: list[float] = []
        for _ in range(STARTS - 1):
            with self._ingress(ready):
                pass
        return ready

    def _warm_up(self, bare: Target, ingress: Target) -> None:
        self._bed.journal.doing("warming up")
        for target in (bare, ingress):
            target.fastest = max(_LEAST_RATE, self._round(target, _WARM_UP_S).rate)

    def _pair(self, turn: str, bare: Target, ingress: Target, figures: IngressFigures) -> None:
        for target, outcomes in ((bare, figures.bare), (ingress, figures.ingress)):
            self._bed.journal.doing(f"ingress, round {turn}: {target.child.name}")
            outcome = self._round(target, self._seconds)
            outcomes.append(outcome)
            self._bed.journal.note(f"round {turn}: {_tell(target.child.name, outcome)}")
        memory = machine.memory_mb(ingress.child.pid)
        figures.memory_mb.extend([memory] if memory is not None else [])

    def _round(self, target: Target, seconds: float) -> Outcome:
        self._bed.redis.empty()
        plan = self._plan(target, seconds)
        self._sent += plan.requests
        try:
            outcome = self._send(target, plan)
        finally:
            target.child.check()  # its death explains whatever the load met
        target.fastest = max(target.fastest, outcome.rate)
        return outcome

    def _send(self, target: Target, plan: Plan) -> Outcome:
        with running("load", module("bench.load"), self._bed.directory, self._bed.cores.rest, pipes=True) as load:
            answer = load.talk(msgspec.json.encode(plan), _LOAD_TIMEOUT_S + plan.seconds)
            outcome = msgspec.json.decode(answer, type=Outcome)
            if not outcome.answered:
                raise NoAnswerError(target.child.name, outcome.failures, load.written() or target.child.written())
        return outcome

    def _plan(self, target: Target, seconds: float) -> Plan:
        """Plan one round, with requests enough for the fastest that this target has been, and as many again."""
        return Plan(
            port=target.port,
            connections=self._connections,
            lead_in_s=_LEAD_IN_S,
            seconds=seconds,
            first=self._sent,
            requests=ceil(target.fastest * _HEADROOM * (seconds + _LEAD_IN_S)) + self._connections,
            watched={"service": target.child.pid, "redis": self._bed.redis.pid},
            cores=self._bed.cores.named(),
        )

    @contextmanager
    def _bare(self) -> Iterator[Target]:
        port = free_port()
        command = [*module("bench.peers.bare_aiohttp"), str(port), webhooks.TARGET]
        with running("bare aiohttp", command, self._bed.directory, self._bed.cores.service) as child:
            child.wait_until(lambda: accepts(port))
            yield Target(child, port)

    @contextmanager
    def _ingress(self, ready: list[float]) -> Iterator[Target]:
        """Run ingress, noting in `ready` after how many seconds it was."""
        port, admin_port = free_port(), free_port()
        settings = {
            "REDIS_URL": self._bed.redis.url,
            "PUBLIC_URL": webhooks.PUBLIC_URL,
            "TWILIO_AUTH_TOKEN": webhooks.TOKEN,
            "INGRESS_HOST": "127.0.0.1",
            "INGRESS_PORT": str(port),
            "INGRESS_ADMIN_PORT": str(admin_port),
            "INGRESS_SPOOL_PATH": str(self._bed.directory / "spool.db"),
            "LOG_LEVEL": "warning",
        }
        with running("ingress", module("ingress"), self._bed.directory, self._bed.cores.service, settings) as child:
            ready.append(child.wait_until(lambda: is_ready(admin_port)))
            yield Target(child, port)


def _tell(name: str, outcome: Outcome) -> str:
    failed = sum(outcome.failures.values())
    return (
        f"{name:<12} {outcome.rate:>8,.0f} requests/s, p50 {outcome.p50_ms:.1f} ms, p99 {outcome.p99_ms:.1f} ms"
        f"{f', [red]{failed} failed[/red]' if failed else ''}{', ran out of requests' if outcome.ran_out else ''}"
    )
