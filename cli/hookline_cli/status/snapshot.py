"""The state of Redis and the services, and its problems, warnings and alerts. Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from hookline_cli.output.redaction import Redaction
from hookline_cli.pause import rows
from hookline_cli.status.rates import TopicRate, TopicRates
from hookline_cli.status.service_alert import ServiceAlert
from hookline_cli.status.service_report import ServiceReport
from hookline_shared.partitions import ranges
from hookline_shared.streams.lease import Lease
from hookline_shared.streams.membership import Member
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
_READERS: Final = "readers"
"""The check with which a service says that nobody reads something."""


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
        away = [self.redis_problem] if self.redis_problem else []
        if not any(service.answers for service in self.services):
            own = away if self.redis_named else []  # else it is the one that `hookline up` starts
            return [self._nobody(), *(self._unowned() if self.redis.processors else []), *self.redis.unread, *own]
        found = [problem for service in self.services for problem in _problems_of(service)]
        found += [*self._unowned(), *self.redis.unread]
        return away + [f"{name}: {refusal}" for name, refusal in self.refusals()] + found

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

    def _unowned(self) -> list[str]:
        free = [number for number, lease in enumerate(self.redis.leases) if not lease.left_ms]
        if not free:
            return []
        which = f"partition{'s' * (len(free) > 1)} {ranges(free)}"
        return [(_UNOWNED if self.redis.processors else _NO_PROCESSOR).format(which=which)]


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


def as_object(found: Snapshot) -> dict[str, Any]:
    """Return the output of --json. `oldest_ms` is Unix time in milliseconds, null if there is no backlog; an unknown rate is
    null, too."""
    return {
        "topics": {name: _topic_object(state, found.rate(name)) for name, state in found.redis.topics.items()},
        "services": [service.as_object() for service in found.services],
        "problems": found.problems(),
        "warnings": [{"from": who, "warning": warning} for who, warning in found.warnings()],
        "partitions": [
            {"partition": number, "owner": lease.owner if lease.left_ms else None, "lease_left_ms": lease.left_ms}
            for number, lease in enumerate(found.redis.leases)
        ],
        "pauses": [rows.as_object(pause, Redaction(reveal=False)) for pause in found.redis.pauses],
        "processors": [owner._asdict() for owner in owners(found.redis)],
        "redis": {"servers": list(found.redis.servers), "problem": found.redis_problem},
        "rates_over_s": round(found.rates.seconds, 3) if found.rates else None,
        "at_ms": found.at_ms,
    }


def _topic_object(state: TopicState, rate: TopicRate) -> dict[str, Any]:
    per_s = {f"{name}_per_s": None if value is None else round(value, 3) for name, value in rate._asdict().items()}
    return state._asdict() | per_s


def _problems_of(service: ServiceReport) -> list[str]:
    if service.refuses_token:
        return [f"{service.name}: {problem}." for problem in service.problems]
    if service.answers:
        return [f"{service.name} is not ready: {problem}" for problem in service.problems]
    remedy = "Start it, or name its address with --data, --admin or its _ADMIN_PORT."
    return [f"{service.name}: {problem}. {remedy}" for problem in service.problems]


def count_of(number: int, noun: str) -> str:
    """Return a text such as "1 event" or "2 events"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
