"""The state of Redis and the services, and its problems, warnings and alerts. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from hookline_cli.status.rates import TopicRate, TopicRates
from hookline_cli.status.service_alert import ServiceAlert
from hookline_cli.status.service_report import ServiceReport
from hookline_shared.partitions import ranges
from hookline_shared.streams.ownership.lease import Lease
from hookline_shared.streams.ownership.membership import Member
from hookline_shared.streams.waiting.pauses import Pause

_NOT_RUNNING: Final = (
    "No Hookline service answers on this machine (checked port {ports}). Start the services with `hookline up`, or name the "
    "data folder of a running one with --data."
)
_ELSEWHERE: Final = (
    "No Hookline service answers on this machine (checked port {ports}), but Redis knows {count}. The services run elsewhere: "
    "name their admin ports with --admin HOST:PORT."
)
_NO_PROCESSOR: Final = "No processor is running: no owner for {which}, so their events wait. Start one: hookline processor."
_UNOWNED: Final = (
    "No owner for {which}, so their events wait. A processor should take them within the duration of a lease "
    "(PROCESSOR_LEASE_S); if none does, see its log and /readyz?verbose."
)
_LEFT_ALONE: Final = "{name} keeps failing, so its breaker is open: only probes call it, and the events that need it wait."
_REFUSALS: Final = "webhooks"
"""The check with which an ingress says that it refuses webhooks."""
_ABSENT: Final = "Start it, or name its address with --data, --admin or its _ADMIN_PORT."
_READERS: Final = "readers"
"""The check with which a service says that nobody reads something."""


class Problem(StrEnum):
    """What a problem is about."""

    REFUSAL = "refusal"
    INGRESS = "ingress"
    NOBODY = "nobody"
    REDIS = "redis"
    SERVICE = "service"
    PROCESSOR = "processor"
    UNOWNED = "unowned"
    UNREAD = "unread"


class TopicState(NamedTuple):
    """One topic over all partitions; `oldest_ms` is Unix time, None if there is no backlog. `status.py` explains the others."""

    events: int
    oldest_ms: int | None
    pending: int
    waiting: int
    dead: int
    scheduled: int = 0


class RedisState(NamedTuple):
    """The state in Redis. `partitions` is None if no service has used it yet; `leases`, one per partition, is empty then.

    `pauses` are those that have not ended. `unread` are the problems of topics that nobody reads, `differences` those of
    processors whose handlers differ.
    """

    servers: Sequence[str] = ()
    warnings: Sequence[str] = ()
    partitions: int | None = None
    topics: Mapping[str, TopicState] = MappingProxyType({})
    processors: Sequence[Member] = ()
    leases: Sequence[Lease] = ()
    pauses: Sequence[Pause] = ()
    unread: Sequence[str] = ()
    differences: Sequence[str] = ()


class Snapshot(NamedTuple):
    """The whole state at Unix time `at_ms`. If Redis did not answer, `redis` is empty and `redis_problem` says why.

    `redis_named`: whether REDIS_URL is set.
    """

    at_ms: int
    redis: RedisState
    redis_problem: str | None
    services: Sequence[ServiceReport]
    rates: TopicRates | None = None
    redis_named: bool = False

    def problems(self) -> list[str]:
        """Return the problems, each with its remedy in one line."""
        return [text for _, text in self.found_problems()]

    def found_problems(self) -> list[tuple[Problem, str]]:
        """Return what each problem is about, and the problem with its remedy in one line."""
        away = [(Problem.REDIS, self.redis_problem)] if self.redis_problem else []
        unread = [(Problem.UNREAD, text) for text in self.redis.unread]
        if not any(service.answers for service in self.services):
            own = away if self.redis_named else []  # else it is the one that `hookline up` starts
            unowned = self._unowned() if self.redis.processors else []
            return [(Problem.NOBODY, self._nobody()), *unowned, *unread, *own]
        refused = [(Problem.REFUSAL, f"{name}: {refusal}") for name, refusal in self.refusals()]
        found = [problem for service in self.services for problem in _problems_of(service)]
        return [*away, *refused, *found, *self._unowned(), *unread]

    def refusals(self) -> list[tuple[str, str]]:
        """Return for each ingress that refuses webhooks its name, how many it refused, and why."""
        lines = [(service.name, line.partition(": ")) for service in self.services for line in service.warnings]
        return [(name, text) for name, (check, _, text) in lines if check == _REFUSALS]

    def alerts(self) -> list[tuple[str, ServiceAlert]]:
        """Return the alerts that are firing with the name of their service, the critical ones first."""
        found = [(service.name, alert) for service in self.services for alert in service.alerts]
        return sorted(found, key=lambda pair: pair[1].level)

    def warnings(self) -> list[tuple[str, str]]:
        """Return the warnings, each with the service that reports it."""
        said: dict[str, list[str]] = {}
        for service in self.services:
            for warning in service.warnings:
                if self._is_problem(warning):
                    continue
                said.setdefault(warning, []).append(service.name)
        found = [(", ".join(names), warning) for warning, names in said.items()]
        found += [("redis", warning) for warning in self.redis.warnings if f"redis: {warning}" not in said]
        found += [("handlers", difference) for difference in self.redis.differences]
        found += [(service.name, _LEFT_ALONE.format(name=name)) for service in self.services for name in service.left_alone()]
        dead = sum(topic.dead for topic in self.redis.topics.values())
        if dead:
            found.append(("dead letters", f"{count_of(dead, 'event')} could not be handled: see hookline dead list."))
        if pauses := len(self.redis.pauses):
            found.append(
                ("pauses", f"{count_of(pauses, 'pause')} {'hold' if pauses > 1 else 'holds'} events: see hookline pause list.")
            )
        return found

    def rate(self, topic: str) -> TopicRate:
        """Return the rate of `topic`."""
        return self.rates.of(topic) if self.rates else TopicRate()

    def _is_problem(self, warning: str) -> bool:
        """Whether a service's warning is one of the problems, and so is not repeated."""
        check, _, text = warning.partition(": ")
        seen_here = bool(self.redis.leases) and text.startswith("No processor")
        return check == _REFUSALS or (check == _READERS and (seen_here or text in self.redis.unread))

    def _nobody(self) -> str:
        ports = ", ".join(str(service.port) for service in self.services)
        if not self.redis.processors:
            return _NOT_RUNNING.format(ports=ports)
        return _ELSEWHERE.format(ports=ports, count=count_of(len(self.redis.processors), "live processor"))

    def _unowned(self) -> list[tuple[Problem, str]]:
        free = [number for number, lease in enumerate(self.redis.leases) if not lease.left_ms]
        if not free:
            return []
        which = f"partition{'s' * (len(free) > 1)} {ranges(free)}"
        return [(Problem.UNOWNED, (_UNOWNED if self.redis.processors else _NO_PROCESSOR).format(which=which))]


class Owner(NamedTuple):
    """A processor and its partitions; `silent_ms`, the time since its last heartbeat, is None if it has none."""

    name: str
    partitions: list[int]
    left_ms: int
    silent_ms: int | None


def owners(redis: RedisState) -> list[Owner]:
    """Return every processor that is alive or owns a partition; `left_ms` is the least time left of its leases."""
    silent = {one.name: one.silent_ms for one in redis.processors}
    owned: dict[str, dict[int, int]] = {name: {} for name in silent}
    for number, lease in enumerate(redis.leases):
        if lease.left_ms:
            owned.setdefault(lease.owner, {})[number] = lease.left_ms
    return [Owner(name, list(own), min(own.values(), default=0), silent.get(name)) for name, own in sorted(owned.items())]


def _problems_of(service: ServiceReport) -> Iterator[tuple[Problem, str]]:
    kind = _kind_of(service)
    for problem in service.problems:
        if service.refuses_token:
            yield Problem.SERVICE, f"{service.name}: {problem}."
        elif service.answers:
            yield kind, f"{service.name} is not ready: {problem}"
        else:
            yield kind, f"{service.name}: {problem}. {_ABSENT}"


def _kind_of(service: ServiceReport) -> Problem:
    """Return what a problem of `service` is about. One that does not answer is known by its name only, if it has one."""
    role = service.role or service.name.partition(" ")[0].partition("-")[0]
    return {"ingress": Problem.INGRESS, "processor": Problem.PROCESSOR}.get(role, Problem.SERVICE)


def count_of(number: int, noun: str) -> str:
    """Return a text such as "1 event" or "2 events"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
