"""The partitions of this processor: acquired and renewed by leases, shared evenly, handed over by draining.

    free      no owner, or the lease has expired; the processor that should own it acquires it
    owned     renewed several times within one lease, and trusted for slightly less than the lease
    draining  assigned to another processor: renewed until running handlers are settled, then released
    lost      acquired by another processor because it was not renewed in time: its events in memory are dropped

docs/ownership.md explains what can happen between any two steps, and why nothing is lost.
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
from hookline_processor.ownership.server_clock import ServerClock
from hookline_processor.partition.partition import Partition
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.partitions import ranges
from hookline_shared.streams.ownership.lease import Fence, Lease, LeaseRequest, Leases

_TRUSTED_SHARE: Final = 0.9
"""The share of a lease for which it is trusted, from when the request was sent; the rest covers clock differences."""
_RENEWALS_PER_LEASE: Final = 10
"""How many times a lease is renewed within its length."""
_MAX_INTERVAL_S: Final = 1.0

Build = Callable[[int, Fence], Partition]


@dataclass(frozen=True)
class Times:
    """The length of a lease, and the time for running handlers to finish; all in seconds.

    `hand_over_s` applies when a partition goes to another processor, `shutdown_s` when this processor stops.
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
    """Owns the share of this processor of `partitions` partitions. `build` makes the `Partition` of one."""

    def __init__(self, leases: Leases, partitions: int, build: Build, times: Times, clock: Clock, logger: Logger) -> None:
        self._leases = leases
        self._partitions = partitions
        self._build = build
        self._times = times
        self._clock = clock
        self._logger = logger
        self._owned: dict[int, _Owned] = {}
        self._ending: dict[int, asyncio.Task[None]] = {}
        self._owned_before: set[int] = set()
        self._first_of_others: float = inf
        self._released: list[int] = []
        self._lost: list[int] = []
        self._present: list[str] = []
        self._present_at = -inf
        self._clocks = {number: ServerClock(times.lease_s) for number in range(partitions)}
        self._terms = dict.fromkeys(range(partitions), 0)
        self._pass_lock = asyncio.Lock()
        self._stopping = False
        self._problem: str | None = "no lease was asked for yet"
        self._supervisor: Supervisor | None = None
        self._job: Job[None] | None = None
        PARTITIONS.set(partitions)

    async def start(self, supervisor: Supervisor) -> None:
        """Start acquiring and renewing leases."""
        self._supervisor = supervisor
        self._job = await supervisor.spawn("ownership", self._run())

    async def stop(self) -> None:
        """Drain every partition and release its lease, so that other processors can acquire it at once."""
        self._stopping = True
        self._drain(list(self._owned), self._times.shutdown_s)
        async with self._pass_lock:  # a pass in progress may have acquired more
            self._drain(list(self._owned), self._times.shutdown_s)
        with suppress(BrokerUnavailableError):  # then the others wait until its entry expires
            await self._leases.leave()
        while ending := [task for task in self._ending.values() if not task.done()]:
            await asyncio.wait(ending)
        self._log_gone()
        if self._job is not None:
            await self._job.close()  # last, because it renews the leases of draining partitions

    @property
    def numbers(self) -> list[int]:
        """The numbers of the owned partitions, including those that drain."""
        return list(self._owned)

    @property
    def leads(self) -> bool:
        """Whether this processor reports the values that all see alike: it owns the first partition that has an owner."""
        return min(self._owned, default=inf) < self._first_of_others

    def check(self) -> str | None:
        """Return the readiness check: why partitions cannot be owned or read, or None if they can."""
        return self._problem or next((problem for owned in self._owned.values() if (problem := owned.partition.check())), None)

    async def pass_once(self) -> None:
        """Renew leases, then acquire and release partitions by assignment.

        Raise the exception of a partition that failed to end, which is a bug in this package.
        """
        async with self._pass_lock:
            self._collect_ended()
            requested_at = self._clock.monotonic()
            present_error, answers = await asyncio.gather(self._update_present(), self._leases.ask(self._lease_requests()))
            self._report_problem([present_error, *answers.values()])
            self._update_clocks(answers, requested_at)
            leases = {number: answer for number, answer in answers.items() if isinstance(answer, Lease)}
            for number, lease in leases.items():
                self._apply_lease(number, lease, requested_at)
            others = (number for number, lease in leases.items() if lease.left_ms and number not in self._owned)
            self._first_of_others = min(others, default=inf)
            if not self._stopping:
                await self._rebalance(leases)
            self._log_gone()
            PARTITIONS_OWNED.set(len(self._owned))

    async def _run(self) -> None:
        interval_s = min(self._times.lease_s / _RENEWALS_PER_LEASE, _MAX_INTERVAL_S)
        while True:
            await self.pass_once()
            await self._clock.sleep(interval_s)

    async def _update_present(self) -> BrokerUnavailableError | None:
        """Register this processor, and update which processors are present."""
        try:
            if self._stopping:
                await self._leases.leave()
            else:
                self._present = await self._leases.heartbeat()
                self._present_at = self._clock.monotonic()
        except BrokerUnavailableError as error:
            return error
        return None

    def _lease_requests(self) -> dict[int, tuple[LeaseRequest, int]]:
        keep = {number: (LeaseRequest.RENEW, owned.term) for number, owned in self._owned.items()}
        return {number: keep.get(number, (LeaseRequest.READ, 0)) for number in range(self._partitions)}

    def _report_problem(self, answers: Iterable[object]) -> None:
        problem = next((str(answer) for answer in answers if isinstance(answer, BrokerUnavailableError)), None)
        if problem and self._problem is None:
            self._logger.warning("leases wait for redis", error=problem)
        self._problem = problem

    def _update_clocks(self, answers: dict[int, Lease | BrokerUnavailableError], requested_at: float) -> None:
        now = self._clock.monotonic()
        for number, answer in answers.items():
            if isinstance(answer, Lease):
                self._clocks[number].answered(answer.server_ms, requested_at, now)
                self._terms[number] = max(self._terms[number], answer.term)
            else:
                self._clocks[number].silent()

    def _apply_lease(self, number: int, lease: Lease, requested_at: float) -> None:
        """Trust a partition whose lease was renewed, and drop one that another processor owns."""
        owned = self._owned.get(number)
        if owned is None:
            return
        if (lease.owner, lease.term) == (self._leases.owner, owned.term):
            owned.partition.trust(requested_at + self._times.lease_s * _TRUSTED_SHARE)
            return
        del self._owned[number]
        self._lost.append(number)
        self._end_partition(number, self._abandon(owned))

    async def _rebalance(self, leases: dict[int, Lease]) -> None:
        owners = {number: lease.owner for number, lease in leases.items() if lease.left_ms}
        assigned = assign(self._partitions, owners, self._processors(owners.values()))
        assigned_here = {number for number, owner in assigned.items() if owner == self._leases.owner}
        free = {number for number, lease in leases.items() if self._is_free(number, lease)}
        await self._take((assigned_here & free) - self._owned.keys() - self._ending.keys())
        self._drain([number for number in self._owned.keys() - assigned_here if number in leases], self._times.hand_over_s)

    def _processors(self, owners: Iterable[str]) -> list[str]:
        """Return the present processors, or the owners of leases if Redis has not answered recently."""
        if self._clock.monotonic() - self._present_at <= self._times.lease_s:
            return self._present
        return sorted({self._leases.owner, *owners})

    def _is_free(self, number: int, lease: Lease) -> bool:
        """Whether this processor may acquire it. An expired lease is left to its owner until the server's clock is believed."""
        if lease.owner in ("", self._leases.owner):
            return True
        return not lease.left_ms and self._clocks[number].believed(self._clock.monotonic())

    async def _take(self, numbers: set[int]) -> None:
        requested_at = self._clock.monotonic()
        answers = await self._leases.ask({number: (LeaseRequest.ACQUIRE, self._terms[number]) for number in sorted(numbers)})
        taken = [
            (number, lease)
            for number, lease in answers.items()
            if isinstance(lease, Lease) and lease.owner == self._leases.owner
        ]
        for number, lease in taken:
            await self._begin(number, lease.term, requested_at)
        if taken:
            self._logger.info("took partitions", partitions=ranges(number for number, _ in taken), owned=len(self._owned))

    async def _begin(self, number: int, term: int, requested_at: float) -> None:
        assert self._supervisor is not None  # noqa: S101 - `start` comes first
        partition = self._build(number, Fence(self._leases.owner, term))
        self._owned[number] = _Owned(partition, term)
        partition.trust(requested_at + self._times.lease_s * _TRUSTED_SHARE)
        await partition.start(self._supervisor, owned_before=number in self._owned_before)
        self._owned_before.add(number)

    def _drain(self, numbers: Iterable[int], within_s: float) -> None:
        """Hand over partitions within `within_s` seconds. This also shortens a handover in progress."""
        for number in numbers:
            owned = self._owned[number]
            if owned.draining is None:
                owned.draining = self._end_partition(number, self._hand_over(number, owned, within_s))
            else:
                owned.partition.hurry(within_s)

    async def _hand_over(self, number: int, owned: _Owned, within_s: float) -> None:
        await owned.partition.drain(within_s)
        if self._owned.get(number) is owned:
            del self._owned[number]
            await self._leases.ask({number: (LeaseRequest.RELEASE, owned.term)})  # without an answer the lease expires
            self._released.append(number)

    def _log_gone(self) -> None:
        """Log the partitions that were released or lost since the last call, in one line each."""
        released, self._released = self._released, []
        if released:
            self._logger.info("gave back partitions", partitions=ranges(released), owned=len(self._owned))
        lost, self._lost = self._lost, []
        if lost:
            self._logger.warning("lost partitions", partitions=ranges(lost), owned=len(self._owned))

    async def _abandon(self, owned: _Owned) -> None:
        await owned.partition.abandon()
        if owned.draining is not None:
            await owned.draining

    def _end_partition(self, number: int, ending: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run `ending` in a task. The partition is not acquired again before it is done."""
        task = self._ending[number] = asyncio.create_task(ending, name=f"end of partition {number}")
        return task

    def _collect_ended(self) -> None:
        for number, task in list(self._ending.items()):
            if task.done():
                del self._ending[number]
                task.result()
