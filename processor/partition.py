"""One partition's owner: reads its topics, keeps a bounded window of events, and hands them to their lanes.

Each topic is read from a position. It starts at "0", which yields our own pending entries, left by a predecessor or by an
answer that got lost; once those are all in the window it becomes ">", which yields new ones. After any error every position
goes back to "0". So pending entries always come before new ones, and none is ever pending under nobody.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat

from aiojobs import Job

from processor.attempt import Attempts
from processor.lanes import Held, Lane, Lanes
from processor.metrics import BODIES_GONE, GROUPS_RECREATED
from processor.retry import NEVER_FAILED, Record, decode_record
from processor.settle import Settler
from processor.slots import Slots
from processor.verdict import Dead, Done, Failure, Reason, Retry, Verdict
from processor.window import Window
from shared.broker.consume import NEW, Consumer, Entry
from shared.clock import Clock
from shared.errors import BrokerUnavailableError, GroupMissingError, HooklineError, UndecodableError
from shared.event import Event, decode
from shared.logs import Logger
from shared.service import Supervisor

_FROM_THE_START = "0"
_BLOCK_MS = 2000
_BLOCK_WHILE_FULL_MS = 20  # a topic whose window was full is looked at again this soon
_PAUSE_S = 0.5


class Partition:
    """Takes the events of partition `number` from Redis to their settlement."""

    def __init__(
        self,
        number: int,
        topics: Sequence[str],
        consumer: Consumer,
        window: Window,
        slots: Slots,
        attempts: Attempts,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._name = f"partition {number}"
        self._topics = topics
        self._consumer = consumer
        self._window = window
        self._slots = slots
        self._attempts = attempts
        self._clock = clock
        self._logger = logger.bind(partition=number)
        self._lanes = Lanes(self._offer)
        self._settler = Settler(consumer, self._settled, clock, self._logger)
        self._positions = dict.fromkeys(topics, _FROM_THE_START)
        self._settled_since_read: set[str] = set()
        self._problem: str | None = None
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to read and to settle."""
        await self._settler.start(supervisor, f"{self._name} settler")
        self._job = await supervisor.spawn(self._name, self._run())

    async def stop_reading(self) -> None:
        """Read nothing more. An entry whose reading this interrupts stays pending, for the next start."""
        if self._job is not None:
            await self._job.close()

    async def stop(self, timeout_s: float) -> None:
        """Settle what was decided, for at most `timeout_s` seconds."""
        await self._settler.stop(timeout_s)

    def check(self) -> str | None:
        """Give the readiness check: why this partition cannot be read, None while it can."""
        return self._problem

    async def _run(self) -> None:
        seen_before = False
        while True:
            try:
                missing = await self._consumer.ensure_groups()
                if missing and seen_before:
                    GROUPS_RECREATED.inc()
                    self._logger.error("consumer groups were gone and are created anew; was Redis flushed?", groups=missing)
                seen_before = True
                while True:
                    await self._window.wait_room()
                    await self._read_once()
                    self._problem = None
            except (BrokerUnavailableError, GroupMissingError) as error:
                await self._wait_to_read_again(error)

    async def _wait_to_read_again(self, error: HooklineError) -> None:
        """Say what is wrong once, wait until Redis answers, and begin with what is pending."""
        self._positions = dict.fromkeys(self._topics, _FROM_THE_START)
        if self._problem is None:
            self._logger.warning("reading waits for redis", error=str(error))
        self._problem = str(error)
        await self._clock.sleep(_PAUSE_S)
        await self._consumer.wait_for_redis()

    async def _read_once(self) -> None:
        """Read one batch of every open topic and hand it on."""
        positions = {topic: self._positions[topic] for topic in self._window.open_topics()}
        block_ms = _BLOCK_MS if len(positions) == len(self._topics) else _BLOCK_WHILE_FULL_MS
        recovering = any(position != NEW for position in positions.values())
        self._settled_since_read.clear()
        for topic, entries in await self._consumer.read(positions, self._window.batch, None if recovering else block_ms):
            await self._admit_all(topic, entries)

    async def _admit_all(self, topic: str, entries: Sequence[Entry]) -> None:
        decoded = [_decode(entry) for entry in entries]
        records: Iterable[Record] = repeat(NEVER_FAILED)
        if self._positions[topic] != NEW:
            stored = await self._consumer.retry_records([event.id for event, _ in decoded])
            records = [decode_record(record) for record in stored]
            self._positions[topic] = entries[-1].id if entries else NEW
        for entry, (event, verdict), record in zip(entries, decoded, records, strict=False):
            self._admit(Held(topic, entry.id, event, record), verdict)

    def _admit(self, held: Held, verdict: Verdict | None) -> None:
        """Take `held` into the window, unless it is there, or was settled while the answer that has it was on its way."""
        if held.entry_id in self._settled_since_read or not self._window.admit(held.topic, held.entry_id):
            return
        if verdict is None:
            self._lanes.add(held)
        else:
            self._settle_unattempted(held, verdict)

    def _settle_unattempted(self, held: Held, verdict: Verdict) -> None:
        what = "entry cannot be decoded" if isinstance(verdict, Dead) else "body of a pending entry is gone"
        if isinstance(verdict, Done):
            BODIES_GONE.labels(held.topic).inc()
        self._logger.error(what, topic=held.topic, entry_id=held.entry_id)
        self._settler.settle(held, verdict)

    def _offer(self, lane: Lane, at_ms: int) -> None:
        self._slots.offer(lane, at_ms, self._work)

    async def _work(self, lane: Lane) -> None:
        """Attempt the first event of `lane` and conclude. If this is cancelled the event stays pending, as if never begun."""
        held = lane.events[0]
        verdict = await self._attempts.make(held)
        if isinstance(verdict, Retry):
            held.record = verdict.record
            self._settler.settle(held, verdict)
            self._lanes.failed(lane)
        else:
            self._settler.settle(held, verdict)
            self._lanes.settled(lane)

    def _settled(self, held: Held) -> None:
        self._settled_since_read.add(held.entry_id)
        self._window.release(held.topic, held.entry_id)


def _decode(entry: Entry) -> tuple[Event, Verdict | None]:
    """Give the event of `entry`, or something to hold in its place and the verdict that needs no attempt."""
    if entry.fields is None:
        return _stand_in(entry, "gone"), Done()
    try:
        return decode(entry.fields), None
    except UndecodableError as error:
        received_at = _received_at(entry)
        failure = Failure(type(error).__name__, str(error))
        return _stand_in(entry, "undecodable"), Dead(Reason.UNDECODABLE, failure, 0, received_at)


def _stand_in(entry: Entry, kind: str) -> Event:
    return Event(id=entry.id, kind=kind, key="", dedupe_key="", received_at=_received_at(entry), target="", body=b"")


def _received_at(entry: Entry) -> int:
    """Give the Unix time in milliseconds at which Redis took the entry, which is how entry ids begin."""
    return int(entry.id.partition("-")[0])
