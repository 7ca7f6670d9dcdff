"""Which partitions are ours: taken and kept by leases, shared evenly with the other processors, handed over by draining.

    free      nobody has it, or its owner has not kept it in time; whoever should have it takes it
    owned     we keep it, many times within the length of a lease, and trust it for a little less than that
    draining  it should be somebody else's: we keep it until what runs is settled, then give it back
    lost      another has taken it, since we could not keep it: what we held of it is dropped

What can happen between any two steps, and why nothing is lost by it: docs/ownership.md.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Final

from aiojobs import Job

from hookline_processor.metrics import PARTITIONS, PARTITIONS_OWNED
from hookline_processor.ownership.assignment import assign
from hookline_processor.partition.partition import Partition
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.partitions import ranges
from hookline_shared.streams.lease import Fence, Lease, LeaseRequest, Leases

_TRUSTED: Final = 0.9
"""The part of a lease for which it is trusted, counted from before it was asked for: the rest is for clocks that differ."""
_ASKED: Final = 10
"""How often, within the length of a lease, it is asked for."""
_LONGEST_INTERVAL_S: Final = 1.0
_RETURN: Final = 0.5
"""The part of a lease for which one that ran out is left to its owner, after Redis was away: both could not reach it."""

Build = Callable[[int, Fence], Partition]


@dataclass(frozen=True)
class Times:
    """All in seconds.

    A lease runs for `lease_s`. What runs gets `hand_over_s` to finish when its partition goes to another processor, and
    `shutdown_s` when this one stops.
    """

    lease_s: float
    hand_over_s: float
    shutdown_s: float


@dataclass(slots=True, eq=False)
class _Owned:
    partition: Partition
    term: int
    draining: asyncio.Task[None] | None = None


class Ownership:
    """Owns this processor's share of `partitions` partitions, each worked on by what `build` makes."""

    def __init__(self, leases: Leases, partitions: int, build: Build, times: Times, clock: Clock, logger: Logger) -> None:
        self._leases = leases
        self._partitions = partitions
        self._build = build
        self._times = times
        self._clock = clock
        self._logger = logger
        self._owned: dict[int, _Owned] = {}
        self._ending: dict[int, asyncio.Task[None]] = {}
        self._known: set[int] = set()
        self._given_back: list[int] = []
        self._lost: list[int] = []
        self._present: list[str] = []
        self._met_at = -inf
        self._answering_since = dict.fromkeys(range(partitions), inf)
        self._round = asyncio.Lock()
        self._leaving = False
        self._problem: str | None = "no lease was asked for yet"
        self._supervisor: Supervisor | None = None
        self._job: Job[None] | None = None
        PARTITIONS.set(partitions)

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to take and keep partitions."""
        self._supervisor = supervisor
        self._job = await supervisor.spawn("ownership", self._run())

    async def stop(self) -> None:
        """Drain every partition and give it back; the others may take them at once."""
        self._leaving = True
        self._drain(list(self._owned), self._times.shutdown_s)
        async with self._round:  # one under way may have taken some more
            self._drain(list(self._owned), self._times.shutdown_s)
        with suppress(BrokerUnavailableError):  # then the others wait until this one was silent for long enough
            await self._leases.leave()
        while ending := [task for task in self._ending.values() if not task.done()]:
            await asyncio.wait(ending)
        self._report_gone()
        if self._job is not None:
            await self._job.close()  # not before: what drains is still kept

    @property
    def numbers(self) -> list[int]:
        """The partitions that are ours, those that drain included."""
        return list(self._owned)

    def check(self) -> str | None:
        """Return the readiness check: why partitions cannot be owned, or one that is owned not be read; None if all is well."""
        return self._problem or next((problem for owned in self._owned.values() if (problem := owned.partition.check())), None)

    async def pass_once(self) -> None:
        """Keep what is ours, and take and give what should change hands.

        Raises what ending a partition raised, which is a mistake of ours.
        """
        async with self._round:
            self._reap()
            asked_at = self._clock.monotonic()
            met, answers = await asyncio.gather(self._meet(), self._leases.ask(self._wants()))
            self._note_answers([met, *answers.values()])
            self._note_silence(answers)
            leases = {number: answer for number, answer in answers.items() if isinstance(answer, Lease)}
            for number, lease in leases.items():
                self._note(number, lease, asked_at)
            if not self._leaving:
                await self._share(leases)
            self._report_gone()
            PARTITIONS_OWNED.set(len(self._owned))

    async def _run(self) -> None:
        interval_s = min(self._times.lease_s / _ASKED, _LONGEST_INTERVAL_S)
        while True:
            await self.pass_once()
            await self._clock.sleep(interval_s)

    async def _meet(self) -> BrokerUnavailableError | None:
        """Learn which processors are there."""
        try:
            if self._leaving:
                await self._leases.leave()
            else:
                self._present = await self._leases.heartbeat()
                self._met_at = self._clock.monotonic()
        except BrokerUnavailableError as error:
            return error
        return None

    def _wants(self) -> dict[int, tuple[LeaseRequest, int]]:
        keep = {number: (LeaseRequest.RENEW, owned.term) for number, owned in self._owned.items()}
        return {number: keep.get(number, (LeaseRequest.READ, 0)) for number in range(self._partitions)}

    def _note_answers(self, answers: Iterable[object]) -> None:
        problem = next((str(answer) for answer in answers if isinstance(answer, BrokerUnavailableError)), None)
        if problem and self._problem is None:
            self._logger.warning("leases wait for redis", error=problem)
        self._problem = problem

    def _note_silence(self, answers: dict[int, Lease | BrokerUnavailableError]) -> None:
        for number, answer in answers.items():
            if not isinstance(answer, Lease):
                self._answering_since[number] = inf
            elif self._answering_since[number] == inf:
                self._answering_since[number] = self._clock.monotonic()

    def _note(self, number: int, lease: Lease, asked_at: float) -> None:
        """Trust a partition whose lease was kept, and drop one that another has."""
        owned = self._owned.get(number)
        if owned is None:
            return
        if (lease.owner, lease.term) == (self._leases.owner, owned.term):
            owned.partition.trust(asked_at + self._times.lease_s * _TRUSTED)
            return
        del self._owned[number]
        self._lost.append(number)
        self._end(number, self._abandon(owned))

    async def _share(self, leases: dict[int, Lease]) -> None:
        owners = {number: lease.owner for number, lease in leases.items() if lease.left_ms}
        assigned = assign(self._partitions, owners, self._processors(owners.values()))
        mine = {number for number, owner in assigned.items() if owner == self._leases.owner}
        free = {number for number, lease in leases.items() if self._is_free(number, lease)}
        await self._take((mine & free) - self._owned.keys() - self._ending.keys())
        self._drain([number for number in self._owned.keys() - mine if number in leases], self._times.hand_over_s)

    def _processors(self, owners: Iterable[str]) -> list[str]:
        """Return those that are there; while Redis does not tell, those that own something."""
        if self._clock.monotonic() - self._met_at <= self._times.lease_s:
            return self._present
        return sorted({self._leases.owner, *owners})

    def _is_free(self, number: int, lease: Lease) -> bool:
        """Whether we may take it. One that ran out while Redis was away is left to its owner for a while."""
        if lease.owner in ("", self._leases.owner):
            return True
        answering_s = self._clock.monotonic() - self._answering_since[number]
        return not lease.left_ms and answering_s >= self._times.lease_s * _RETURN

    async def _take(self, numbers: set[int]) -> None:
        asked_at = self._clock.monotonic()
        answers = await self._leases.ask(dict.fromkeys(sorted(numbers), (LeaseRequest.ACQUIRE, 0)))
        taken = [
            (number, lease)
            for number, lease in answers.items()
            if isinstance(lease, Lease) and lease.owner == self._leases.owner
        ]
        for number, lease in taken:
            await self._begin(number, lease.term, asked_at)
        if taken:
            self._logger.info("took partitions", partitions=ranges(number for number, _ in taken), owned=len(self._owned))

    async def _begin(self, number: int, term: int, asked_at: float) -> None:
        assert self._supervisor is not None  # noqa: S101 - `start` comes first
        partition = self._build(number, Fence(self._leases.owner, term))
        self._owned[number] = _Owned(partition, term)
        partition.trust(asked_at + self._times.lease_s * _TRUSTED)
        await partition.start(self._supervisor, known=number in self._known)
        self._known.add(number)

    def _drain(self, numbers: Iterable[int], within_s: float) -> None:
        """Hand over partitions, within that time even if it has begun already."""
        for number in numbers:
            owned = self._owned[number]
            if owned.draining is None:
                owned.draining = self._end(number, self._hand_over(number, owned, within_s))
            else:
                owned.partition.hurry(within_s)

    async def _hand_over(self, number: int, owned: _Owned, within_s: float) -> None:
        await owned.partition.drain(within_s)
        if self._owned.get(number) is owned:
            del self._owned[number]
            await self._leases.ask({number: (LeaseRequest.RELEASE, owned.term)})  # without an answer it runs out
            self._given_back.append(number)

    def _report_gone(self) -> None:
        """Log which partitions are no longer ours, in one line however many went since the last one."""
        given_back, self._given_back = self._given_back, []
        if given_back:
            self._logger.info("gave back partitions", partitions=ranges(given_back), owned=len(self._owned))
        lost, self._lost = self._lost, []
        if lost:
            self._logger.warning("lost partitions", partitions=ranges(lost), owned=len(self._owned))

    async def _abandon(self, owned: _Owned) -> None:
        await owned.partition.abandon()
        if owned.draining is not None:
            await owned.draining

    def _end(self, number: int, ending: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run `ending`. Until it is over the partition is not taken again."""
        task = self._ending[number] = asyncio.create_task(ending, name=f"end of partition {number}")
        return task

    def _reap(self) -> None:
        for number, task in list(self._ending.items()):
            if task.done():
                del self._ending[number]
                task.result()
