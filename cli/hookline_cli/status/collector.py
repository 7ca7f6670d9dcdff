"""Read the state of Redis and the services, once or repeatedly."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Annotated, Final, Self

from msgspec import Meta

from hookline_cli.admin_address import LOOPBACK, AdminAddress, parse_admin, reachable
from hookline_cli.redis_session import connect
from hookline_cli.status.handled_kinds import differences
from hookline_cli.status.rates import TopicRates, measure
from hookline_cli.status.service_report import ServiceReport, ask
from hookline_cli.status.snapshot import RedisState, Snapshot, TopicState
from hookline_cli.workspace import StackFacts
from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.clock import Clock
from hookline_shared.errors import HooklineError
from hookline_shared.readers.survey import survey
from hookline_shared.redis.probe import describe
from hookline_shared.redis.server_info import ServerInfo, risks
from hookline_shared.settings.base import Port, SharedSettings
from hookline_shared.streams.backlog import Backlog, backlogs, partitions_in_use, servers
from hookline_shared.streams.counts import EventCounts, count_events
from hookline_shared.streams.ownership.membership import leases, members
from hookline_shared.streams.waiting.pauses import Pause, PauseStore
from hookline_shared.validation import Variable, field_of

_INGRESS_HOST: Final[str] = field_of(IngressSettings, "admin_host").default
_INGRESS_PORT: Final[int] = field_of(IngressSettings, "admin_port").default
_PROCESSOR_HOST: Final[str] = field_of(ProcessorSettings, "admin_host").default
_PROCESSOR_PORT: Final[int] = field_of(ProcessorSettings, "admin_port").default
_LEASE_S: Final[float] = field_of(ProcessorSettings, "lease_s").default
_EMPTY: Final = Backlog(0, None)


class CollectorSettings(SharedSettings, frozen=True, kw_only=True):
    """Where the services are, if no `hookline up` runs here."""

    redis_url: Annotated[str | None, Variable("REDIS_URL", "", secret=True)] = None
    """As it is written, if it is set."""
    ingress_admin_host: Annotated[str, Variable("INGRESS_ADMIN_HOST", "")] = _INGRESS_HOST
    ingress_admin_port: Annotated[Port, Variable("INGRESS_ADMIN_PORT", "")] = _INGRESS_PORT
    processor_admin_host: Annotated[str, Variable("PROCESSOR_ADMIN_HOST", "")] = _PROCESSOR_HOST
    processor_admin_port: Annotated[Port, Variable("PROCESSOR_ADMIN_PORT", "")] = _PROCESSOR_PORT
    lease_s: Annotated[float, Meta(ge=1), Variable("PROCESSOR_LEASE_S", "")] = _LEASE_S

    def admin_addresses(self) -> list[AdminAddress]:
        """Return the admin port of each service."""
        return [
            AdminAddress("ingress", reachable(self.ingress_admin_host), self.ingress_admin_port),
            AdminAddress("processor", reachable(self.processor_admin_host), self.processor_admin_port),
        ]


def find_addresses(admin: Sequence[str] | None, facts: StackFacts, settings: CollectorSettings) -> list[AdminAddress]:
    """Return the admin ports that were named, otherwise those of the `hookline up` of `facts`, otherwise those of the settings.

    Raises:
        typer.BadParameter: if one of `admin` is not HOST:PORT.

    """
    if admin:
        return [parse_admin(text) for text in admin]
    announced = [AdminAddress(name, LOOPBACK, port) for name, port in facts.admin_ports.items()]
    return announced or settings.admin_addresses()


class Collector:
    """Reads the Redis of `settings` and the services at `addresses`. It is an asynchronous context manager."""

    def __init__(self, settings: CollectorSettings, addresses: Sequence[AdminAddress], clock: Clock) -> None:
        self._settings = settings
        self._addresses = addresses
        self._clock = clock
        self._redis = connect(settings)
        self._before: tuple[float, Sequence[ServiceReport]] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._redis.close()

    async def begin(self) -> bool:
        """Read the counters of the services, so that the next `look` can compute rates; return whether any answered."""
        at, services = self._clock.monotonic(), await self._ask_services()
        self._before = (at, services)
        return any(service.answers for service in services)

    async def look(self) -> Snapshot:
        """Return the whole state, with the rates since the previous reading."""
        at = self._clock.monotonic()
        redis, services = await asyncio.gather(self._ask_redis(), self._ask_services())
        rates = self._rates(at, services)
        self._before = (at, services)
        if isinstance(redis, str):
            named = self._settings.redis_url is not None
            return Snapshot(self._clock.now_ms(), RedisState(), redis, services, rates, named)
        return Snapshot(self._clock.now_ms(), redis, None, services, rates)

    def _rates(self, at: float, services: Sequence[ServiceReport]) -> TopicRates | None:
        if self._before is None or at <= self._before[0]:
            return None
        return measure(self._before[1], services, at - self._before[0])

    async def _ask_services(self) -> list[ServiceReport]:
        return await asyncio.gather(*(ask(address, self._settings.admin_token) for address in self._addresses))

    async def _ask_redis(self) -> RedisState | str:
        """Return the state in Redis, or why it cannot be read."""
        try:
            await self._redis.monitor.locate()
            return await self._read()
        except HooklineError as error:
            return " ".join([str(error), *self._redis.monitor.warnings()])

    async def _pauses(self) -> list[Pause]:
        """Return the pauses that have not ended."""
        now_ms = self._clock.now_ms()
        return [pause for pause in await PauseStore(self._redis).read() if not pause.has_ended(now_ms)]

    async def _read(self) -> RedisState:
        partitions = await partitions_in_use(self._redis)
        number = partitions or self._settings.partitions
        topics = list(self._settings.topics)
        masters, found, counts, present, owned, readers = await asyncio.gather(
            servers(self._redis, number),
            backlogs(self._redis, number, topics),
            count_events(self._redis, number, topics),
            members(self._redis),
            leases(self._redis, partitions or 0),
            survey(self._redis, partitions or 0, topics),
        )
        return RedisState(
            servers=[_describe(facts) for facts in masters],
            warnings=list(dict.fromkeys(risk for facts in masters for risk in risks(facts).values())),
            partitions=partitions,
            topics={
                name: _topic(found.get(name, _EMPTY), name, counts)
                for name in dict.fromkeys([*topics, *sorted(counts.waiting.keys() | counts.dead.keys())])
            },
            pauses=await self._pauses(),
            processors=[one for one in present if one.silent_ms <= self._settings.lease_s * 1000],
            leases=owned,
            unread=[str(gap) for gap in readers.unread_gaps(topics)],
            differences=[str(gap) for gap in differences(readers.processors)],
        )


def _topic(backlog: Backlog, name: str, counts: EventCounts) -> TopicState:
    return TopicState(
        backlog.events, backlog.oldest_ms, counts.pending[name], counts.waiting[name], counts.dead[name], backlog.scheduled
    )


def _describe(facts: ServerInfo) -> str:
    return f"{describe(facts)}, {facts.mode}"
