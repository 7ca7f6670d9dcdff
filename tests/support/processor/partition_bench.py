"""A partition whose handler does as a test wants."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count, islice
from typing import Any

from hookline_processor.api.context import Context
from hookline_processor.api.handlers import Handlers
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.forward.forwards import Forwards, build_forwards
from hookline_processor.forward.settings import SigningSettings
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.context import PartitionContext
from hookline_processor.partition.destinations import Destinations
from hookline_processor.partition.memory_limits import PayloadMemory
from hookline_processor.partition.partition import Partition
from hookline_processor.partition.quarantine import Quarantine
from hookline_processor.partition.slots import Slots
from hookline_processor.partition.waiting.conditions import ACCOUNT, BREAKER, KIND, PAUSE, Conditions, Gate
from hookline_processor.partition.waiting.handled_kinds import HandledKinds
from hookline_processor.partition.waiting.pauses import Pauses
from hookline_processor.partition.waiting.waiting_sets import WaitingTotals
from hookline_processor.retry_policy import RetryPolicy
from hookline_processor.sender.outgoing import Outbox, build_outbox
from hookline_processor.sender.settings import SenderSettings
from hookline_processor.verdicts import DONE, Verdict
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.clock import SystemClock
from hookline_shared.event import Event
from hookline_shared.forwards import Forward
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.memory import Memories
from hookline_shared.streams.waiting.index import WaitingIndex
from hookline_shared.streams.waiting.pauses import PauseStore
from hookline_shared.topics import DEFAULT_TOPICS, MESSAGES, STATUSES, Topic
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION, claim
from tests.support.storage.stored import PARTITIONS

WINDOW = 20
_BATCH = 250
LOOKS_S = (0.3, 0.6, 1.0, 1.5)
"""When messages in doubt are looked for, instead of minutes later."""
TOPICS = dict.fromkeys(DEFAULT_TOPICS, Topic()) | {STATUSES: Topic(ordered=False)}


class _Judged(Attempts):
    """Attempts whose verdicts are those of a bench."""

    def __init__(self, bench: "Bench", *arguments: Any) -> None:
        super().__init__(*arguments)
        self._bench = bench

    async def make(self, in_flight: InFlightEvent) -> Verdict:
        verdict = await super().make(in_flight)
        judge = self._bench.verdict
        return judge(in_flight) if judge is not None and verdict == DONE else verdict


class Bench:
    """A partition whose handler does `work`, and the ids of the events that it was given, in order."""

    def __init__(self, broker: RedisConnectionManager, logbook: Logbook) -> None:
        self.begun: list[str] = []
        self.interrupted: list[bool] = []
        self.stubborn = False
        self.failing = False
        self.handlers: Handlers | None = None
        """The handlers to be used instead of those that do `work`."""
        self.sender: SenderSettings | None = None
        self.outbox: Outbox | None = None
        self.forwards: Sequence[Forward] = ()
        self.signing = SigningSettings()
        self.forwarding: Forwards | None = None
        self.verdict: Callable[[InFlightEvent], Verdict] | None = None
        """Returns the verdict on an event whose handler succeeds, instead of its own."""
        self.window = WINDOW
        self.slots = 10
        self.topics = TOPICS
        self.lease_s = 60.0
        self.outbox_is_full: Callable[[int], bool] = lambda _partition: False
        self.open = asyncio.Event()
        self.open.set()
        self.broker = broker
        self._logbook = logbook
        self._supervisor = Supervisor(logbook.logger)
        self._appender = Appender(broker, PARTITIONS, 3600, 1_000_000)
        self._threads = Threads(1)
        self.pauses = Pauses(PauseStore(broker), SystemClock())

    async def start(self) -> Partition:
        """Return the partition, started, with a lease of its own."""
        clock, logger = SystemClock(), self._logbook.logger
        fence = await claim(self.broker, lease_s=self.lease_s)
        if self.outbox is not None:
            await self.outbox.close()
        if self.sender is not None:
            fences = {PARTITION: fence}
            self.outbox = build_outbox(self.sender, self.broker, fences, PARTITIONS, self.lease_s, clock, logger, LOOKS_S)
        handlers = self.handlers or self._handlers()
        await self._close_forwards()
        self.forwarding = build_forwards(self.forwards, self.signing, self.broker, PARTITIONS, clock, logger)
        more = (None, None, self.outbox, Memories(self.broker, PARTITIONS), self.forwarding)
        attempts = _Judged(self, handlers, 60, RetryPolicy(), self._threads, clock, logger, *more)
        consumer = Consumer(self.broker, PARTITION, list(self.topics), fence)
        context = self._context(attempts, clock, logger)
        partition = Partition(PARTITION, consumer, WaitingIndex(self.broker, PARTITION, fence), context)
        partition.trust(clock.monotonic() + 60)
        await partition.start(self._supervisor, owned_before=False)
        return partition

    def _handlers(self) -> Handlers:
        handlers = Handlers()

        @handlers.on("*", breaker="crm")
        async def work(event: WebhookEvent, context: Context) -> None:
            self.begun.append(event.id)
            self.interrupted.append(context.interrupted)
            if self.failing:
                raise ConnectionError("the CRM is away")
            while not self.open.is_set():
                try:
                    await self.open.wait()
                except asyncio.CancelledError:
                    if not self.stubborn:
                        raise

        return handlers

    def _context(self, attempts: Attempts, clock: SystemClock, logger: Logger) -> PartitionContext:
        room = asyncio.Event()
        room.set()
        destinations, pauses = Destinations(5, clock, logger), self.pauses
        self._destinations = destinations
        gates: dict[str, Gate] = {BREAKER: destinations, PAUSE: pauses, KIND: HandledKinds(attempts)}
        more: dict[str, Any] = {"outbox_is_full": self.outbox_is_full}
        if self.outbox is not None:
            gates[ACCOUNT] = self.outbox.accounts
            more["closed_account"] = self.outbox.accounts.closed_for
        return PartitionContext(
            topics=self.topics,
            window=self.window,
            memory=PayloadMemory(1 << 20),
            slots=Slots(self.slots, self.topics),
            attempts=attempts,
            destinations=destinations,
            quarantine=Quarantine(clock),
            pauses=pauses,
            conditions=Conditions(gates),
            waiting=WaitingTotals(),
            unhandled_wait_ms=0,
            clock=clock,
            logger=logger,
            ledger_has_room=room,
            **more,
        )

    async def put(self, number: int, topic: str = MESSAGES, nth_key: int = 0) -> list[Event]:
        """Append `number` new events of one conversation to `topic`; return them."""
        events = [event(key=key_of(PARTITION, nth_key)) for _ in range(number)]
        await self._appender.append([(topic, one) for one in events], 5)
        return events

    async def put_each(self, number: int) -> None:
        """Append one new event of each of so many conversations."""
        keys = islice((key for key in map(str, count()) if partition_of(key, PARTITIONS) == PARTITION), number)
        events = [event(key=key) for key in keys]
        for at in range(0, number, _BATCH):
            await self._appender.append([(MESSAGES, one) for one in events[at : at + _BATCH]], 5)

    def breaker_is_open(self, name: str) -> bool:
        """Whether the events of the destination `name` wait."""
        return self._destinations.claim(name) == 0

    async def _close_forwards(self) -> None:
        if self.forwarding is not None:
            await self.forwarding.close()

    async def close(self) -> None:
        """End what still runs; nothing may have failed."""
        await self._close_forwards()
        if self.outbox is not None:
            await self.outbox.close()
        assert self._supervisor.failure is None
        await self._supervisor.close()
        self._threads.close()
