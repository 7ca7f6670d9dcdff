"""The composition of the processor: how its parts are built, and in which order they start and stop."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from os import getpid
from secrets import token_hex
from socket import gethostname
from typing import TYPE_CHECKING

from hookline_processor.api.handlers import Handlers
from hookline_processor.api.lifespan import Lifespan
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.attempts.watchdog import Watchdog
from hookline_processor.forward.forwards import Forwards, build_forwards
from hookline_processor.health_checks import build_health
from hookline_processor.monitoring.alert_sources import AlertSources, measures
from hookline_processor.monitoring.backlog import BacklogGauges
from hookline_processor.ownership.owned_partitions import OwnedPartitions
from hookline_processor.ownership.ownership import Ownership, Times
from hookline_processor.partition.context import PartitionContext
from hookline_processor.partition.destinations import Destinations
from hookline_processor.partition.memory_limits import PayloadMemory
from hookline_processor.partition.partition import Partition
from hookline_processor.partition.quarantine import Quarantine
from hookline_processor.partition.slots import Slots
from hookline_processor.partition.waiting.conditions import ACCOUNT, BREAKER, KIND, PAUSE, Conditions
from hookline_processor.partition.waiting.handled_kinds import HandledKinds
from hookline_processor.partition.waiting.pauses import Pauses
from hookline_processor.partition.waiting.waiting_sets import WaitingTotals
from hookline_processor.retry_policy import RetryPolicy
from hookline_processor.sender.outbox_limit import OutboxLimit
from hookline_processor.sender.outgoing import Outbox, build_outbox
from hookline_processor.settings import SETTLE_RESERVE_S, ProcessorSettings
from hookline_shared.alerts.watcher import AlertWatcher
from hookline_shared.catalogue.media import MEDIA_FETCHER
from hookline_shared.clock import Clock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.admin import Admin
from hookline_shared.observability.health import Health
from hookline_shared.observability.logs import Logger
from hookline_shared.readers.published import encode
from hookline_shared.readers.watch import ReadersWatch
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.memory import Memories
from hookline_shared.streams.ownership.lease import Fence, Leases
from hookline_shared.streams.waiting.index import WaitingIndex
from hookline_shared.streams.waiting.pauses import PauseStore

if TYPE_CHECKING:
    from hookline_processor.attempts.tracing import AttemptSpans
    from hookline_processor.ledger.service import Ledger

_LEASE_REQUESTS = 4
"""How many unanswered lease requests fit into one lease."""
_ALERT_INTERVALS_PER_BACKLOG = 5
"""Checks of the alerts for each measurement of the backlog, which queries Redis."""
_RAISE_SHUTDOWN = "raise PROCESSOR_SHUTDOWN_S, and what waits for the processor to stop to 18 s more; or lower the time-outs"


@dataclass(frozen=True)
class Processor:
    """The service that runs the user's handlers for its share of the partitions: its parts, and their start and stop."""

    health: Health
    admin: Admin
    redis: RedisConnectionManager
    alerts: AlertWatcher
    watchdog: Watchdog
    lifespan: Lifespan
    threads: Threads
    slots: Slots
    pauses: Pauses
    ownership: Ownership
    owned: OwnedPartitions
    gauges: BacklogGauges
    readers: ReadersWatch
    ledger: "Ledger | None"
    outbox: Outbox
    outbox_limit: OutboxLimit
    forwards: Forwards
    logger: Logger

    async def start(self, supervisor: Supervisor, stopping: AsyncExitStack) -> None:
        """Open the admin port and start all tasks. Reading begins when the start-up hooks are done and Redis answers.

        At the stop, running handlers may finish until the deadline, and their events are settled, before anything is closed.
        """
        self.health.live["tasks"] = supervisor.check_tasks
        self.watchdog.start()
        stopping.callback(self.watchdog.stop)
        stopping.push_async_callback(self.admin.stop)
        admin_port = await self.admin.start()
        self.logger.info("listening", admin_port=admin_port)
        stopping.push_async_callback(self.redis.close)
        stopping.push_async_callback(self.outbox.close)
        stopping.push_async_callback(self.forwards.close)
        monitor = await supervisor.spawn("redis watch", self.redis.monitor.run())
        stopping.push_async_callback(monitor.close)  # after the settling, which may wait for Redis
        stopping.push_async_callback(self.alerts.stop)
        await self.alerts.start(supervisor, admin_port)
        stopping.push_async_callback(self.lifespan.stop)  # `_read` starts it, and what stops before it
        if self.ledger is not None:
            stopping.push_async_callback(self._stop_ledger, self.ledger)
        stopping.callback(self.threads.close)
        stopping.callback(self.slots.close)
        failing = await supervisor.spawn("handlers", self.slots.wait_failed())
        stopping.push_async_callback(failing.close)
        reading = await supervisor.spawn("reading", self._read(supervisor))
        stopping.push_async_callback(self.pauses.stop)
        stopping.push_async_callback(reading.close)
        stopping.push_async_callback(self.ownership.stop)
        stopping.callback(self.owned.freeze)
        stopping.push_async_callback(self.gauges.stop)
        stopping.push_async_callback(self.outbox_limit.stop)
        stopping.push_async_callback(self.readers.stop)
        stopping.callback(self.health.stop)

    async def _read(self, supervisor: Supervisor) -> None:
        await self.lifespan.start()
        await self.redis.monitor.wait_ready()
        await self.pauses.start(supervisor)  # before anything is attempted
        await self.ownership.start(supervisor)
        await self.gauges.start(supervisor)
        await self.outbox_limit.start(supervisor)
        await self.readers.start(supervisor)
        if self.ledger is not None:
            await self.ledger.start(supervisor)
        await self.lifespan.wait_failed()  # a supervised task must not end

    async def _stop_ledger(self, ledger: "Ledger") -> None:
        await ledger.stop(self.owned.numbers)


def build_processor(
    settings: ProcessorSettings, handlers: Handlers, threads: Threads, clock: Clock, logger: Logger
) -> Processor:
    """Return the processor that runs `handlers`, not started."""
    redis = _redis(settings, clock, logger)
    pauses = Pauses(PauseStore(redis), clock)
    fences: dict[int, Fence] = {}
    outbox = build_outbox(settings.sender, redis, fences, settings.partitions, settings.lease_s, clock, logger)
    forwards = build_forwards(settings.forwards, settings.signing, redis, settings.partitions, clock, logger)
    MEDIA_FETCHER.set(outbox.fetch_media)  # before the slots: handlers run in the context of now
    slots = Slots(settings.concurrency, settings.topics)
    attempts = _attempts(settings, handlers, threads, slots, (redis, outbox, forwards), clock, logger)
    outbox_limit = OutboxLimit(redis, settings.partitions, settings.sender.limit, fences.keys, clock, logger)
    context = replace(_context(settings, slots, attempts, pauses, outbox, clock, logger), outbox_is_full=outbox_limit.is_full)
    own_timeout_s = handlers.longest_timeout(settings.handler_timeout_s)
    longest_timeout_s = max(own_timeout_s, outbox.longest_timeout(), forwards.longest_timeout())
    ownership = _ownership(settings, handlers, redis, context, fences, longest_timeout_s, forwards.patterns())
    owned = OwnedPartitions(ownership)
    ledger = _ledger(settings, redis, ownership, context)
    gauges, readers, alerts = _watchers(settings, redis, context, ledger, owned, outbox, clock, logger)
    lifespan = Lifespan(handlers, clock, logger)
    health = build_health(lifespan, redis, ownership, ledger, alerts, readers, outbox, forwards)
    pages = {"/backlog": gauges.report}
    admin = Admin(health, settings.admin_host, settings.admin_port, "PROCESSOR_ADMIN", pages, settings.admin_token)
    return Processor(
        health,
        admin,
        redis,
        alerts,
        Watchdog(handlers, logger),
        lifespan,
        threads,
        context.slots,
        pauses,
        ownership,
        owned,
        gauges,
        readers,
        ledger,
        outbox,
        outbox_limit,
        forwards,
        logger,
    )


def _watchers(
    settings: ProcessorSettings,
    redis: RedisConnectionManager,
    context: PartitionContext,
    ledger: "Ledger | None",
    owned: OwnedPartitions,
    outbox: Outbox,
    clock: Clock,
    logger: Logger,
) -> tuple[BacklogGauges, ReadersWatch, AlertWatcher]:
    gauges_s = _ALERT_INTERVALS_PER_BACKLOG * settings.alerts.interval_s
    gauges = BacklogGauges(redis, settings.partitions, list(settings.topics), context.waiting, gauges_s, clock)
    readers = ReadersWatch(redis, settings.partitions, (), gauges_s, clock)
    sources = AlertSources(gauges, settings.backlog_limit, ledger, readers, owned.is_leader, outbox)
    return (
        gauges,
        readers,
        AlertWatcher(settings.alerts, "processor", measures(settings.alerts.limits, sources, clock), clock, logger),
    )


def _redis(settings: ProcessorSettings, clock: Clock, logger: Logger) -> RedisConnectionManager:
    blocking = settings.blocking_pool_size or 2 * settings.partitions
    return RedisConnectionManager(settings.redis.with_blocking(blocking), settings.partitions, clock, logger)


def _context(
    settings: ProcessorSettings,
    slots: Slots,
    attempts: Attempts,
    pauses: Pauses,
    outbox: Outbox,
    clock: Clock,
    logger: Logger,
) -> PartitionContext:
    destinations = Destinations(settings.breaker_failures, clock, logger)
    ledger_has_room = asyncio.Event()
    ledger_has_room.set()
    return PartitionContext(
        topics=settings.topics,
        window=settings.window_size(),
        memory=PayloadMemory(settings.window_mb << 20),
        slots=slots,
        attempts=attempts,
        destinations=destinations,
        quarantine=Quarantine(clock),
        pauses=pauses,
        conditions=Conditions({BREAKER: destinations, PAUSE: pauses, KIND: HandledKinds(attempts), ACCOUNT: outbox.accounts}),
        waiting=WaitingTotals(),
        unhandled_wait_ms=round(settings.unhandled_wait_s * 1000),
        clock=clock,
        logger=logger,
        ledger_has_room=ledger_has_room,
        ledger=settings.ledger.url is not None,
        closed_account=outbox.accounts.closed_for,
    )


def _attempts(
    settings: ProcessorSettings,
    handlers: Handlers,
    threads: Threads,
    slots: Slots,
    others: tuple[RedisConnectionManager, Outbox, Forwards],
    clock: Clock,
    logger: Logger,
) -> Attempts:
    retry = RetryPolicy(max_attempts=settings.max_attempts, base=settings.backoff_base_s, max=settings.backoff_max_s)
    redis, outbox, forwards = others
    more = (_spans(settings), slots.release_overdue, outbox, Memories(redis, settings.partitions), forwards)
    return Attempts(handlers, settings.handler_timeout_s, retry, threads, clock, logger, *more)


def _spans(settings: ProcessorSettings) -> "AttemptSpans | None":
    if settings.tracing != "off":
        from hookline_processor.attempts.tracing import AttemptSpans

        return AttemptSpans(settings.partitions)
    return None


def _ownership(
    settings: ProcessorSettings,
    handlers: Handlers,
    redis: RedisConnectionManager,
    context: PartitionContext,
    fences: dict[int, Fence],
    longest_timeout_s: float,
    forwarded: list[str],
) -> Ownership:
    topics = list(settings.topics)

    def make_partition(number: int, fence: Fence) -> Partition:
        fences[number] = fence
        consumer = Consumer(redis, number, topics, fence, ledger=context.ledger)
        return Partition(number, consumer, WaitingIndex(redis, number, fence), context)

    name = f"{gethostname()}:{getpid()}:{token_hex(4)}"
    kinds = (handlers.patterns(ignored=False) + forwarded, handlers.patterns(ignored=True))
    about = encode(settings.partitions, settings.lease_s, settings.topics, *kinds)
    leases = Leases(redis, name, settings.lease_s, settings.lease_s / _LEASE_REQUESTS, about)
    if contradiction := settings.cuts_handlers(longest_timeout_s):
        context.logger.warning("a stop may cut handlers short", reason=contradiction, remedy=_RAISE_SHUTDOWN)
    hand_over_s, shutdown_s = longest_timeout_s + SETTLE_RESERVE_S, settings.shutdown_time_s(longest_timeout_s)
    times = Times(settings.lease_s, hand_over_s=hand_over_s, shutdown_s=shutdown_s)
    return Ownership(leases, settings.partitions, make_partition, times, context.clock, context.logger)


def _ledger(
    settings: ProcessorSettings, redis: RedisConnectionManager, ownership: Ownership, context: PartitionContext
) -> "Ledger | None":
    if settings.ledger.url is None:
        return None
    from hookline_processor.ledger.service import Ledger

    has_room, clock, logger = context.ledger_has_room, context.clock, context.logger
    return Ledger(settings.ledger, redis, settings.partitions, lambda: ownership.numbers, has_room, clock, logger)
