"""The webhooks per second that ingress accepts, beside other receivers on the same core."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from bench.environment import Environment
from bench.errors import BenchError
from bench.load import webhooks
from bench.load.plan import Outcome
from bench.load.private_ingress import ingress_settings
from bench.load.rounds import ClosedLoop, Target
from bench.peers.receivers import Receiver
from bench.report.figures import FSYNC, INGRESS, REPLICA, TWO, IngressFigures, Served
from bench.system.private_redis import PrivateRedis, private_redis, replicated_redis
from bench.system.probes import accepts, is_ready
from bench.system.processes import free_port, module, running

STARTS: Final = 3
_WARM_UP_S: Final = 1.0
Pairs = list[tuple[Target, Served]]
"""Those that take part, each with its figures."""


class IngressRounds:
    """Takes turns between ingress and the receivers beside it. `seconds` is how long one round is measured."""

    def __init__(self, environment: Environment, receivers: Sequence[Receiver], connections: int, seconds: float) -> None:
        self._environment = environment
        self._receivers = receivers
        self._load = ClosedLoop(environment, connections)
        self._seconds = seconds

    def run(self, rounds: int) -> IngressFigures:
        """Measure `rounds` rounds of each.

        Raises:
            BenchError: if ingress does not start. Whoever ends or hangs later is told of, and takes no further part.

        """
        ready = self._starts()
        failed: list[str] = []
        with ExitStack() as stack:
            disk = stack.enter_context(private_redis(self._environment.directory, self._environment.cores.rest, durable=True))
            pair = stack.enter_context(replicated_redis(self._environment.directory, self._environment.cores.rest))
            targets = [
                stack.enter_context(self._ingress(ready, self._environment.redis)),
                stack.enter_context(self._ingress(ready, disk, "fsync")),
                stack.enter_context(self._ingress(ready, pair, "replica")),
                stack.enter_context(self._two_ingresses()),
            ]
            for one in self._receivers:
                with _recorded_failure(failed, one.name):
                    targets.append(stack.enter_context(self._receiver(one)))
            self._environment.progress.note(f"ingress ready after {ready[0]:.2f} s")
            figures = IngressFigures(
                connections=self._load.connections,
                served=[Served(name=one.name, rounds=[], window_mb=[]) for one in targets],
                ready_s=ready,
                versions={one.name: one.environment.version(one.package) for one in self._receivers},
                failed=failed,
            )
            fit = self._warmed_up(list(zip(targets, figures.served, strict=True)), failed)
            for number in range(1, rounds + 1):
                fit = self._run_round(f"{number}/{rounds}", fit, failed)
        return figures

    def _starts(self) -> list[float]:
        """Measure the time until ingress is ready, for a few starts."""
        self._environment.progress.doing("starting ingress")
        ready: list[float] = []
        for _ in range(STARTS - 1):
            with self._ingress(ready, self._environment.redis):
                pass
        return ready

    def _warmed_up(self, pairs: Pairs, failed: list[str]) -> Pairs:
        """Run a short round of each; return those that did not fail."""
        self._environment.progress.doing("warming up")
        fit = []
        for target, served in pairs:
            with _recorded_failure(failed, target.name):
                self._load.warm_up(target, _WARM_UP_S)
                fit.append((target, served))
        return fit

    def _run_round(self, turn: str, pairs: Pairs, failed: list[str]) -> Pairs:
        """Run a round of each; return those that did not fail."""
        fit = []
        for target, served in pairs:
            self._environment.progress.doing(f"webhooks, round {turn}: {target.name}")
            with _recorded_failure(failed, target.name):
                outcome = self._load.round(target, self._seconds)
                served.rounds.append(outcome)
                self._environment.progress.note(f"round {turn}: {_tell(target.name, outcome)}")
                memory = target.window_mb()
                served.window_mb.extend([memory] if memory is not None else [])
                fit.append((target, served))
        return fit

    @contextmanager
    def _receiver(self, receiver: Receiver) -> Iterator[Target]:
        port, redis = free_port(), self._environment.redis
        settings = {
            "REDIS_URL": redis.url,
            "BENCH_PUBLIC_URL": webhooks.PUBLIC_URL,
            "BENCH_TARGET": webhooks.TARGET,
            "BENCH_TOKEN": webhooks.TOKEN,
            "NODE_ENV": "production",
        }
        command = receiver.command(port)
        with running(receiver.name, command, self._environment.directory, self._environment.cores.service, settings) as child:
            child.wait_until(lambda: accepts(port))
            yield Target((child,), port, redis)

    @contextmanager
    def _ingress(self, ready: list[float], redis: PrivateRedis, durability: str = "memory") -> Iterator[Target]:
        """Run ingress; append the seconds until it was ready to `ready`."""
        port, admin_port = free_port(), free_port()
        settings = ingress_settings(redis.url, port, admin_port, self._environment.directory / f"spool-{durability}.db")
        settings["INGRESS_DURABILITY"] = durability
        name = {"memory": INGRESS, "fsync": FSYNC, "replica": REPLICA}[durability]
        with running(
            name, module("hookline_ingress"), self._environment.directory, self._environment.cores.service, settings
        ) as child:
            ready.append(child.wait_until(lambda: is_ready(admin_port)))
            yield Target((child,), port, redis)

    @contextmanager
    def _two_ingresses(self) -> Iterator[Target]:
        """Run two processes on one port; the second shares the core of Redis and the load, because there are two cores."""
        port, cores = free_port(), (self._environment.cores.service, self._environment.cores.rest)
        with ExitStack() as stack:
            children = []
            for number, core in enumerate(cores, start=1):
                admin_port = free_port()
                spool = self._environment.directory / f"spool-{number}-of-2.db"
                settings = ingress_settings(self._environment.redis.url, port, admin_port, spool)
                name = TWO if number == 1 else f"{TWO}, the other"
                child = stack.enter_context(
                    running(name, module("hookline_ingress"), self._environment.directory, core, settings)
                )
                child.wait_until(partial(is_ready, admin_port))
                children.append(child)
            yield Target(tuple(children), port, self._environment.redis)


@contextmanager
def _recorded_failure(failed: list[str], name: str) -> Iterator[None]:
    """Record the failure of one server instead of ending the run."""
    try:
        yield
    except BenchError as error:
        failed.append(f"{name}: {error}")


def _tell(name: str, outcome: Outcome) -> str:
    failed = sum(outcome.failures.values())
    return (
        f"{name:<16} {outcome.rate:>8,.0f} requests/s, p50 {outcome.p50_ms:.1f} ms, p99 {outcome.p99_ms:.1f} ms"
        f"{f', [red]{failed} failed[/red]' if failed else ''}{', ran out of requests' if outcome.ran_out else ''}"
    )
