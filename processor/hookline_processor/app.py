"""The processor put together: what is made of what, and in which order it starts and stops."""

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
from hookline_processor.settings import ProcessorSettings
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

_LEASE_QUESTIONS = 4
"""How many questions about leases, each unanswered, fit into one lease."""
_LOOKS_PER_BACKLOG = 5
"""How often alerts are looked at before the backlog is, which asks Redis something."""
_LEADER_PARTITION = 0
"""The partition whose owner tells what all processors see alike."""
_AFTER_TIMEOUT_S = 2.0
"""What is left, when a partition goes to another processor, after the longest time-out: to settle, and for a handler to end."""


class Processor:
    """The service that runs `handlers` for its share of the partitions."""

    def __init__(self, settings: ProcessorSettings, handlers: Handlers, threads: Threads, clock: Clock, logger: Logger) -> None:
        self._settings = settings
        self._clock = clock
        self._logger = logger
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
        self._ownership = self._make_ownership(handlers)
        self._tasks: list[Job[None]] = []
        self._monitor: Job[None] | None = None

    def _make_ledger(self) -> "Ledger | None":
        if self._settings.database_url is None:
            return None
        from hookline_processor.ledger.service import Ledger

        return Ledger(self._settings, self._redis, lambda: self._ownership.numbers, self._clock, self._logger)

    def _make_gauges(self) -> BacklogGauges:
        settings = self._settings
        every_s = _LOOKS_PER_BACKLOG * settings.alert_interval_s
        return BacklogGauges(self._redis, settings.partitions, list(settings.topics), self._slots, every_s, self._clock)

    def _make_alerts(self) -> AlertWatcher:
        settings = self._settings
        watched = AlertSources(self._gauges, settings.backlog_limit, self._ledger, self._is_leader)
        posts = Notifier(settings.alert_url, "processor", self._clock, self._logger) if settings.alert_url else None
        found = measures(settings.alerts, watched, self._clock)
        return AlertWatcher(
            settings.alerts, found, posts, settings.alert_interval_s, self._clock, self._logger, settings.runbook_url
        )

    def _is_leader(self) -> bool:
        """Whether it is this one of all processors that speaks of what all see; one that stops leaves that as it was."""
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
            room=self._ledger.room if self._ledger is not None else _set_for_good(),
        )

    def _make_ownership(self, handlers: Handlers) -> Ownership:
        settings = self._settings
        name = f"{gethostname()}:{getpid()}:{token_hex(4)}"
        leases = Leases(self._redis, name, settings.lease_s, settings.lease_s / _LEASE_QUESTIONS)
        longest_s = handlers.longest_timeout(settings.handler_timeout_s) + _AFTER_TIMEOUT_S
        times = Times(settings.lease_s, hand_over_s=longest_s, shutdown_s=settings.shutdown_s)
        return Ownership(leases, settings.partitions, self._make_partition, times, self._clock, self._logger)

    def _make_partition(self, number: int, claim: Fence) -> Partition:
        topics, ledger = list(self._settings.topics), self._ledger is not None
        return Partition(number, Consumer(self._redis, number, topics, claim, ledger=ledger), self._context)

    async def start(self, supervisor: Supervisor) -> None:
        """Open the admin port; reading begins as soon as Redis answers."""
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
        self._watchdog.start()
        await self._alerts.start(supervisor, admin_port)
        self._tasks = [
            await supervisor.spawn("reading", self._read(supervisor)),
            await supervisor.spawn("handlers", self._slots.watch()),
        ]
        self._monitor = await supervisor.spawn("redis watch", self._redis.monitor.run())

    async def stop(self) -> None:
        """Read nothing more, let running handlers finish until the deadline, settle them, then let go of Redis."""
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
            await self._monitor.close()  # not before: settling may still wait for Redis
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


def _set_for_good() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
