"""Which partitions are ours: taken and kept by leases, shared evenly with the other processors, handed over by draining.

    free      nobody has it, or its owner has not kept it in time; whoever should have it takes it
    owned     we keep it, many times within the length of a lease, and trust it for a little less than that
    draining  it should be somebody else's: we keep it until what runs is settled, then give it back
    lost      another has taken it, since we could not keep it: what we held of it is dropped

What can happen between any two steps, and why nothing is lost by it: docs/ownership.md.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiojobs import Job

from processor.assignment import assign
from processor.metrics import PARTITIONS_OWNED
from processor.partition import Partition
from shared.broker.lease import Claim, Lease, Leases, Want
from shared.clock import Clock
from shared.errors import BrokerUnavailableError
from shared.logs import Logger
from shared.service import Supervisor

_TRUSTED: Final = 0.9
"""The part of a lease for which it is trusted, counted from before it was asked for: the rest is for clocks that differ."""
_ASKED: Final = 10
"""How often, within the length of a lease, it is asked for."""
_LONGEST_INTERVAL_S: Final = 1.0

Build = Callable[[int, Claim], Partition]


@dataclass(slots=True, eq=False)
class _Owned:
    partition: Partition
    term: int
    draining: asyncio.Task[None] | None = None


class Ownership:
    """Owns this processor's share of `partitions` partitions, each worked on by what `build` makes.

    `lease_s` is the length of a lease; `drain_s` is what a partition gets to finish what runs, when it goes to somebody else.
    """

    def __init__(
        self, leases: Leases, partitions: int, build: Build, lease_s: float, drain_s: float, clock: Clock, logger: Logger
    ) -> None:
        self._leases = leases
        self._partitions = partitions
        self._build = build
        self._trusted_s = lease_s * _TRUSTED
        self._interval_s = min(lease_s / _ASKED, _LONGEST_INTERVAL_S)
        self._drain_s = drain_s
        self._clock = clock
        self._logger = logger
        self._owned: dict[int, _Owned] = {}
        self._known: set[int] = set()
        self._present: list[str] = []
        self._leaving = False
        self._problem: str | None = "no lease was asked for yet"
        self._supervisor: Supervisor | None = None
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to take and keep partitions."""
        self._supervisor = supervisor
        self._job = await supervisor.spawn("ownership", self._run())

    async def stop(self) -> None:
        """Drain every partition, for `drain_s` seconds at most, and give it back; the others may take them at once."""
        self._leaving = True
        with suppress(BrokerUnavailableError):  # then the others wait until this one was silent for long enough
            await self._leases.leave()
        await asyncio.gather(*(self._draining(number) for number in list(self._owned)))
        if self._job is not None:
            await self._job.close()  # not before: what drains is still kept

    def check(self) -> str | None:
        """Give the readiness check: why partitions cannot be owned, or one that is owned not be read; None if all is well."""
        return self._problem or next((problem for owned in self._owned.values() if (problem := owned.partition.check())), None)

    async def _run(self) -> None:
        while True:
            await self._meet()
            await self._ask()
            PARTITIONS_OWNED.set(len(self._owned))
            await self._clock.sleep(self._interval_s)

    async def _meet(self) -> None:
        """Learn which processors are there. Without an answer those that were there last still count."""
        try:
            if self._leaving:
                await self._leases.leave()
            else:
                self._present = await self._leases.meet()
        except BrokerUnavailableError as error:
            self._problem = str(error)
        else:
            self._problem = None

    async def _ask(self) -> None:
        """Keep what is ours, and take and give what should change hands."""
        asked_at = self._clock.monotonic()
        keep = {number: (Want.KEEP, owned.term) for number, owned in self._owned.items()}
        wants = {number: keep.get(number, (Want.LOOK, 0)) for number in range(self._partitions)}
        answers = await self._leases.ask(wants)
        leases = {number: answer for number, answer in answers.items() if isinstance(answer, Lease)}
        await asyncio.gather(*(self._note(number, lease, asked_at) for number, lease in leases.items()))
        if not self._leaving and self._leases.owner in self._present:
            await self._share(leases)

    async def _note(self, number: int, lease: Lease, asked_at: float) -> None:
        """Trust a partition whose lease was kept, and drop one that another has."""
        owned = self._owned.get(number)
        if owned is None:
            return
        if (lease.owner, lease.term) == (self._leases.owner, owned.term):
            owned.partition.trust(asked_at + self._trusted_s)
            return
        del self._owned[number]
        self._logger.warning("lost a partition", partition=number, owner=lease.owner or "nobody", term=lease.term)
        if owned.draining is not None:
            owned.draining.cancel()
        await owned.partition.abandon()

    async def _share(self, leases: dict[int, Lease]) -> None:
        owners = {number: lease.owner for number, lease in leases.items() if lease.left_ms}
        assigned = assign(self._partitions, owners, self._present)
        mine = {number for number, owner in assigned.items() if owner == self._leases.owner}
        free = {number for number, lease in leases.items() if not lease.left_ms or lease.owner == self._leases.owner}
        await self._take((mine & free) - self._owned.keys())
        for number in self._owned.keys() - mine:
            if number in leases:
                self._draining(number)

    async def _take(self, numbers: set[int]) -> None:
        asked_at = self._clock.monotonic()
        answers = await self._leases.ask(dict.fromkeys(sorted(numbers), (Want.TAKE, 0)))
        for number, lease in answers.items():
            if isinstance(lease, Lease) and lease.owner == self._leases.owner:
                await self._begin(number, lease.term, asked_at)

    async def _begin(self, number: int, term: int, asked_at: float) -> None:
        assert self._supervisor is not None  # noqa: S101 - `start` comes first
        partition = self._build(number, Claim(self._leases.owner, term))
        self._owned[number] = _Owned(partition, term)
        partition.trust(asked_at + self._trusted_s)
        await partition.start(self._supervisor, known=number in self._known)
        self._known.add(number)
        self._logger.info("took a partition", partition=number, term=term)

    def _draining(self, number: int) -> "asyncio.Task[None]":
        """Begin to hand over a partition, unless that has begun."""
        owned = self._owned[number]
        if owned.draining is None:
            owned.draining = asyncio.create_task(self._hand_over(number, owned))
        return owned.draining

    async def _hand_over(self, number: int, owned: _Owned) -> None:
        await owned.partition.drain(self._drain_s)
        if self._owned.get(number) is owned:
            del self._owned[number]
            await self._leases.ask({number: (Want.GIVE, owned.term)})  # without an answer it runs out
            self._logger.info("gave back a partition", partition=number, term=owned.term)
