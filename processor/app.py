"""The processor put together: what is made of what, and in which order it starts and stops."""

import asyncio

from aiojobs import Job

from processor.attempt import Attempts
from processor.backlog import BacklogGauges
from processor.handlers import Handlers
from processor.metrics import PARTITIONS_OWNED
from processor.partition import Partition
from processor.retry import RetryPolicy
from processor.settings import ProcessorSettings
from processor.slots import Slots
from processor.threads import Threads
from processor.window import Window
from shared.admin import Admin
from shared.broker.connection import RedisConnectionManager
from shared.broker.consume import Consumer
from shared.clock import Clock
from shared.health import Health
from shared.logs import Logger
from shared.service import Supervisor
from shared.topics import DEFAULT_TOPICS

_SETTLE_RESERVE_S = 1.0
"""How much of the shutdown's time is kept for settling what the handlers finished."""


class Processor:
    """The service that runs `handlers`. It reads all partitions: run one processor at a time."""

    def __init__(self, settings: ProcessorSettings, handlers: Handlers, threads: Threads, clock: Clock, logger: Logger) -> None:
        self._settings = settings
        self._clock = clock
        self._logger = logger
        self._stopping = False
        self._health = Health()
        self._admin = Admin(self._health, settings.admin_host, settings.admin_port, "PROCESSOR_ADMIN")
        options = settings.redis_options(blocking_pool_size=settings.blocking_pool_size or settings.partitions)
        self._redis = RedisConnectionManager(options, settings.partitions, clock, logger)
        self._slots = Slots(settings.concurrency, clock)
        self._threads = threads
        self._gauges = BacklogGauges(self._redis, settings.partitions, DEFAULT_TOPICS, self._slots, clock)
        self._attempts = self._make_attempts(handlers)
        self._partitions = [self._make_partition(number) for number in range(settings.partitions)]
        self._tasks: list[Job[None]] = []
        self._monitor: Job[None] | None = None

    def _make_attempts(self, handlers: Handlers) -> Attempts:
        settings = self._settings
        retry = RetryPolicy(max_attempts=settings.max_attempts, base_s=settings.backoff_base_s, max_s=settings.backoff_max_s)
        return Attempts(handlers, settings.handler_timeout_s, retry, self._threads, self._clock, self._logger)

    def _make_partition(self, number: int) -> Partition:
        consumer = Consumer(self._redis, number, DEFAULT_TOPICS)
        window = Window(DEFAULT_TOPICS, self._settings.window)
        return Partition(number, DEFAULT_TOPICS, consumer, window, self._slots, self._attempts, self._clock, self._logger)

    async def start(self, supervisor: Supervisor) -> None:
        """Open the admin port; reading begins as soon as Redis answers."""
        self._health.live["tasks"] = supervisor.check_tasks
        self._health.ready["redis"] = self._redis.monitor.check
        self._health.warnings["redis"] = self._redis.monitor.warnings
        self._health.ready["reading"] = self._check_reading
        self._health.ready["shutdown"] = lambda: "shutting down" if self._stopping else None
        admin_port = await self._admin.start()
        self._logger.info("listening", admin_port=admin_port)
        self._tasks = [
            await supervisor.spawn("reading", self._read(supervisor)),
            await supervisor.spawn("handlers", self._slots.watch()),
        ]
        self._monitor = await supervisor.spawn("redis watch", self._redis.monitor.run())

    async def stop(self) -> None:
        """Read nothing more, let running handlers finish until the deadline, settle them, then let go of Redis."""
        self._stopping = True
        deadline = self._clock.monotonic() + self._settings.shutdown_s
        for task in self._tasks:
            await task.close()
        await self._gauges.stop()
        await asyncio.gather(*(partition.stop_reading() for partition in self._partitions))
        self._attempts.stop()
        unfinished = await self._slots.drain(max(0, self._settings.shutdown_s - _SETTLE_RESERVE_S))
        if unfinished:
            self._logger.warning("handlers cancelled at the deadline, their events are handled anew", events=unfinished)
        left_s = max(_SETTLE_RESERVE_S, deadline - self._clock.monotonic())
        await asyncio.gather(*(partition.stop(left_s) for partition in self._partitions))
        self._threads.close()
        if self._monitor is not None:
            await self._monitor.close()  # not before: settling may still wait for Redis
        await self._redis.close()
        await self._admin.stop()

    def _check_reading(self) -> str | None:
        return next((problem for partition in self._partitions if (problem := partition.check())), None)

    async def _read(self, supervisor: Supervisor) -> None:
        await self._redis.monitor.wait_ready()
        for partition in self._partitions:
            await partition.start(supervisor)
        await self._gauges.start(supervisor)
        PARTITIONS_OWNED.set(len(self._partitions))
        await asyncio.Event().wait()  # a supervised task must not end
