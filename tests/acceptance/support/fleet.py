"""Several processors over one Redis and one ingress, that come and go."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.acceptance.support.pair import Backend, Pair, processor_settings, started_pair
from tests.acceptance.support.records import Record
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS
from tests.support.waiting import until


class Fleet:
    """The services of `pair`, and more processors made with `settings`. `members` are all that there ever were, in order."""

    def __init__(self, pair: Pair, services: Services, settings: Mapping[str, str]) -> None:
        self.pair = pair
        self.members = [pair.processor]
        self.record = Record(pair.record)
        self._services = services
        self._settings = settings

    async def join(self, settings: Mapping[str, str] | None = None) -> ServiceProcess:
        """Start one more processor, with `settings` of its own beside those of all, and wait until it is ready."""
        member = self._services.processor({**self._settings, **(settings or {})})
        self.members.append(member)
        return await member.start()

    def owners(self) -> dict[int, int]:
        """Return the process that owns each partition; partitions whose lease has run out are left out."""
        found = {partition: self._owner(partition) for partition in range(PARTITIONS)}
        return {partition: pid for partition, pid in found.items() if pid is not None}

    def partitions_of(self, member: ServiceProcess) -> set[int]:
        """Return the partitions that `member` owns."""
        return {partition for partition, pid in self.owners().items() if pid == member.pid}

    async def shared(self, members: Collection[ServiceProcess]) -> None:
        """Wait until `members`, and nobody else, own all partitions, and their shares differ by one at most."""
        pids = [member.pid for member in members]
        await until(lambda: _is_even(Counter(self.owners().values()), pids), f"{len(pids)} processors share all partitions")

    async def taken(self, partitions: Collection[int], besides: ServiceProcess) -> None:
        """Wait until each of `partitions` has another owner than `besides`."""
        await until(lambda: self._others_own(partitions, besides.pid), f"others own {sorted(partitions)}")

    def member(self, pid: int) -> ServiceProcess:
        """Return the processor that runs as process `pid`."""
        return next(member for member in self.members if member.pid == pid)

    def open_gate(self, *members: ServiceProcess) -> None:
        """Let the handlers go on that wait at the gate, in `members` or everywhere."""
        for end in [f".{member.pid}" for member in members] or [""]:
            Path(f"{self.pair.record}.open{end}").touch()

    def _owner(self, partition: int) -> int | None:
        owner, term = self.pair.redis.execute_command("HMGET", keys.lease(partition), "owner", "term")
        if not owner or not self.pair.redis.exists(keys.token(partition, owner.decode(), int(term))):
            return None
        return int(owner.split(b":")[-2])  # host:pid:number

    def _others_own(self, partitions: Collection[int], pid: int) -> bool:
        owners = self.owners()
        return all(owners.get(partition, pid) != pid for partition in partitions)


@asynccontextmanager
async def started_fleet(
    backend: Backend, services: Services, folder: Path, size: int, settings: Mapping[str, str]
) -> AsyncIterator[Fleet]:
    """Yield an ingress and `size` processors with `settings`, which share all partitions."""
    async with started_pair(backend, services, folder, settings=settings) as pair:
        fleet = Fleet(pair, services, processor_settings(backend.url, pair.record) | dict(settings))
        await asyncio.gather(*(fleet.join() for _ in range(size - 1)))
        await fleet.shared(fleet.members)
        yield fleet


def _is_even(shares: Mapping[int, int], pids: Collection[int]) -> bool:
    own = [shares.get(pid, 0) for pid in pids]
    return sum(own) == PARTITIONS == sum(shares.values()) and max(own) - min(own) <= 1
