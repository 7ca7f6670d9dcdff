"""Building the processor from its parts, and starting and stopping them in order."""

import asyncio
from os import getpid
from secrets import token_hex
from socket import gethostname
from typing import TYPE_CHECKING

from aiojobs import Job

from hookline_processor.api.handlers import Handlers
from hookline_processor.api.lifespan import Lifespan
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.attempts.watchdog import Watchdog
from hookline_processor.monitoring.alert_sources import AlertSources, measures
from hookline_processor.monitoring.backlog import BacklogGauges
from hookline_processor.ownership.ownership import Ownership, Times
from hookline_processor.partition.destinations import Destinations
from hookline_processor.partition.partition import Partition, PartitionContext
from hookline_processor.partition.quarantine import Quarantine
from hookline_processor.partition.slots import Slots
from hookline_processor.retry import RetryPolicy
from hookline_processor.settings import SETTLE_RESERVE_S, ProcessorSettings
from hookline_shared.alerts.notifier import Notifier
from hookline_shared.alerts.watcher import AlertWatcher
from hookline_shared.clock import Clock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.admin import Admin
from hookline_shared.observability.health import Health
from hookline_shared.observability.logs import Logger
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.lease import Fence, Leases

if TYPE_CHECKING:
    from hookline_processor.attempts.tracing import AttemptSpans
    from hookline_processor.ledger.service import Ledger

_LEASE_REQUESTS = 4
"""How many unanswered lease requests fit into one lease."""
_ALERT_INTERVALS_PER_BACKLOG = 5
"""Checks of the alerts for each measurement of the backlog, which queries Redis."""
_LEADER_PARTITION = 0
"""The partition whose owner reports values that all processors see alike."""
_RAISE_SHUTDOWN = "raise PROCESSOR_SHUTDOWN_S, and what waits for the processor to stop to 18 s more; or lower the time-outs"


class Processor:
    """The service that runs `handlers` for its share of the partitions."""

    def __init__(self, settings: ProcessorSettings, handlers: Handlers, threads: Threads, clock: Clock, logger: Logger) -> None:
        self._settings = settings
        self._clock = clock
        self._logger = logger
        self._longest_timeout_s = handlers.longest_timeout(settings.handler_timeout_s)
        self._stopping = False
        self._was_leader = False
        self._health = Health()
        options = settings.redis_options(blocking_pool_size=settings.blocking_pool_size or 2 * settings.partitions)
        self._redis = RedisConnectionManager(options, settings.partitions, clock, logger)
        self._threads = threads
        self._ledger = self._make_ledger()
        self._context = self._make_context(handlers)
        self._slots = self._context.slots
        self._gauges = self._make_gauges()
        self._alerts = self._make_alerts()
        pages = {"/backlog": self._gauges.report}
        self._admin = Admin(self._health, settings.admin_host, settings.admin_port, "PROCESSOR_ADMIN", pages)
        self._lifespan = Lifespan(handlers, clock, logger)
        self._watchdog = Watchdog(handlers, logger)
        self._ownership = self._make_ownership()
        self._tasks: list[Job[None]] = []
        self._monitor: Job[None] | None = None

    def _make_ledger(self) -> "Ledger | None":
        if self._settings.database_url is None:
            return None
        from hookline_processor.ledger.service import Ledger

        return Ledger(self._settings, self._redis, lambda: self._ownership.numbers, self._clock, self._logger)

    def _make_gauges(self) -> BacklogGauges:
        settings = self._settings
        interval_s = _ALERT_INTERVALS_PER_BACKLOG * settings.alert_interval_s
        return BacklogGauges(self._redis, settings.partitions, list(settings.topics), self._slots, interval_s, self._clock)

    def _make_alerts(self) -> AlertWatcher:
        settings = self._settings
        sources = AlertSources(self._gauges, settings.backlog_limit, self._ledger, self._is_leader)
        notifier = Notifier(settings.alert_url, "processor", self._clock, self._logger) if settings.alert_url else None
        measured = measures(settings.alerts, sources, self._clock)
        return AlertWatcher(
            settings.alerts, measured, notifier, settings.alert_interval_s, self._clock, self._logger, settings.runbook_url
        )

    def _is_leader(self) -> bool:
        """Whether this processor reports the values that all processors see alike. Stopping does not change the answer."""
        if not self._stopping:
            self._was_leader = _LEADER_PARTITION in self._ownership.numbers
        return self._was_leader

    def _make_context(self, handlers: Handlers) -> PartitionContext:
        settings = self._settings
        retry = RetryPolicy(max_attempts=settings.max_attempts, base=settings.backoff_base_s, max=settings.backoff_max_s)
        return PartitionContext(
            topics=settings.topics,
            window=settings.window_size(),
            slots=Slots(settings.concurrency, settings.topics, self._clock),
            attempts=Attempts(
                handlers, settings.handler_timeout_s, retry, self._threads, self._clock, self._logger, _spans(settings)
            ),
            destinations=Destinations(settings.breaker_failures, self._clock, self._logger),
            quarantine=Quarantine(self._clock),
            clock=self._clock,
            logger=self._logger,
            ledger_has_room=self._ledger.has_room if self._ledger is not None else _always_set(),
        )

    def _make_ownership(self) -> Ownership:
        settings = self._settings
        name = f"{gethostname()}:{getpid()}:{token_hex(4)}"
        leases = Leases(self._redis, name, settings.lease_s, settings.lease_s / _LEASE_REQUESTS)
        hand_over_s = self._longest_timeout_s + SETTLE_RESERVE_S
        times = Times(settings.lease_s, hand_over_s, shutdown_s=settings.shutdown_time_s(self._longest_timeout_s))
        return Ownership(leases, settings.partitions, self._make_partition, times, self._clock, self._logger)

    def _make_partition(self, number: int, fence: Fence) -> Partition:
        topics, ledger = list(self._settings.topics), self._ledger is not None
        return Partition(number, Consumer(self._redis, number, topics, fence, ledger=ledger), self._context)

    async def start(self, supervisor: Supervisor) -> None:
        """Open the admin port and start all tasks. Reading begins when the start-up hooks are done and Redis answers."""
        self._health.live["tasks"] = supervisor.check_tasks
        self._health.ready["handlers"] = self._lifespan.check
        self._health.ready["redis"] = self._redis.monitor.check
        self._health.warnings["redis"] = self._redis.monitor.warnings
        if self._ledger is not None:
            self._health.warnings["ledger"] = self._ledger.warnings
        self._health.warnings["alert"] = self._alerts.warnings
        self._health.ready["reading"] = self._ownership.check
        self._health.ready["shutdown"] = lambda: "shutting down" if self._stopping else None
        admin_port = await self._admin.start()
        self._logger.info("listening", admin_port=admin_port)
        if contradiction := self._settings.cuts_handlers(self._longest_timeout_s):
            self._logger.warning("a stop may cut handlers short", reason=contradiction, remedy=_RAISE_SHUTDOWN)
        self._watchdog.start()
        await self._alerts.start(supervisor, admin_port)
        self._tasks = [
            await supervisor.spawn("reading", self._read(supervisor)),
            await supervisor.spawn("handlers", self._slots.wait_failed()),
        ]
        self._monitor = await supervisor.spawn("redis watch", self._redis.monitor.run())

    async def stop(self) -> None:
        """Stop reading, let running handlers finish until the deadline, settle their events, and close all connections."""
        self._stopping = True
        await self._gauges.stop()
        owned = self._ownership.numbers
        await self._ownership.stop()
        for task in self._tasks:
            await task.close()
        self._slots.close()
        self._threads.close()
        if self._ledger is not None:
            await self._ledger.stop(owned)
        await self._lifespan.stop()
        await self._alerts.stop()
        if self._monitor is not None:
            await self._monitor.close()  # last, because settling may still wait for Redis
        await self._redis.close()
        await self._admin.stop()
        self._watchdog.stop()

    async def _read(self, supervisor: Supervisor) -> None:
        await self._lifespan.start()
        await self._redis.monitor.wait_ready()
        await self._ownership.start(supervisor)
        await self._gauges.start(supervisor)
        if self._ledger is not None:
            await self._ledger.start(supervisor)
        await self._lifespan.wait_failed()  # a supervised task must not end


def _spans(settings: ProcessorSettings) -> "AttemptSpans | None":
    if settings.tracing == "off":
        return None
    from hookline_processor.attempts.tracing import AttemptSpans

    return AttemptSpans(settings.partitions)


def _always_set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
