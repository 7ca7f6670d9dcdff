"""Several processors under load, of which one is killed, one stopped past its lease, one added and one asked to leave.

`make fleet` makes it long; the numbers are printed.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from hookline_shared.partitions import partition_of
from hookline_shared.topics import STATUSES
from tests.acceptance.support.fleet import Fleet, started_fleet
from tests.acceptance.support.flood import SETTINGS, Flood
from tests.acceptance.support.history import NO_FAULT, Fault, History
from tests.support.inbound.kinds import call_status, sid
from tests.support.inbound.webhooks import TOKEN, Twilio
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.stored import PARTITIONS
from tests.support.waiting import until

DURATION_S = float(os.environ.get("HOOKLINE_FLEET_S", "0"))
"""Of the long run; 0 for the short one."""
LONG = DURATION_S > 0
PROCESSORS = 4 if LONG else 3
LEASE_S = 10 if LONG else 2
STOPPED_S = 15 if LONG else 0
"""How long a processor is stopped, at least; in any case until others have taken all its partitions."""
RATE = 2000 if LONG else 300
CONVERSATIONS = 1000 if LONG else 100
CALM = RATE * 3 if LONG else RATE // 2
"""So many messages are acknowledged between two events."""

LONGEST_TAKEOVER_S = 12
LONGEST_SHARING_S = 15

PROCESSING = {
    "PROCESSOR_LEASE_S": str(LEASE_S),
    "HOOKLINE_TEST_WORK_S": "0.02",  # so that something is in flight whenever a processor is killed or stopped
    "HOOKLINE_TEST_TIMEOUT_S": "60",  # none, as far as this test goes
    "TWILIO_AUTH_TOKEN": f"{SETTINGS['TWILIO_AUTH_TOKEN']},{TOKEN}",
    "PUBLIC_URL": SETTINGS["PUBLIC_URL"],
}


class Run:
    """A fleet under load. `live` are the processors that should share the partitions; `faults` are those that were made."""

    def __init__(self, fleet: Fleet, flood: Flood) -> None:
        self.fleet = fleet
        self.flood = flood
        self.live = list(fleet.members)
        self.faults: list[Fault] = []
        self._what = ""
        self._begun_at = 0.0

    async def kill(self) -> None:
        """Kill one."""
        member = self.live.pop()
        partitions = self.fleet.partitions_of(member)
        self._begin("killed")
        self.faults.append(Fault("kill", member.pid, time.time()))
        assert await member.kill() < 0
        await self._taken(partitions, member)
        await self._shared()

    async def stop_and_continue(self) -> None:
        """Stop one that runs a handler in a thread, until others have all that it had, and let it go on."""
        call, before = sid("CA"), self.fleet.record.size
        await self.fleet.pair.deliver(Twilio().webhook(call_status(CallSid=call)))
        member = self.fleet.member(await self.fleet.record.begins(call, after=before))
        partitions = self.fleet.partitions_of(member)
        self._begin("stopped")
        self.faults.append(Fault("stop", member.pid, time.time()))
        member.pause()
        self.live.remove(member)
        await self._taken(partitions, member)
        await self._shared()
        await self.fleet.record.begins(call, after=before, besides=member.pid)
        await asyncio.sleep(STOPPED_S - self._seconds())  # the length of the fault
        print(f"stopped: for {self._seconds():.1f} s")
        self._begin("continued")
        self.fleet.open_gate(member)
        member.resume()
        await self.fleet.record.ends(call, member, after=before)
        await self._assert_fenced(member, partitions, call)
        self.fleet.open_gate()
        self.live.append(member)
        await self._shared()

    async def join(self) -> None:
        """Add one."""
        self._begin("joined")
        self.live.append(await self.fleet.join())
        await self._shared()

    async def leave(self) -> None:
        """Ask one to stop."""
        member = self.live.pop(0)
        self._begin("left")
        assert await member.stop() == 0
        print(f"left: ended after {self._seconds():.1f} s")
        await self._shared()

    async def last(self, seconds: float) -> None:
        """Continue the load until it has lasted for `seconds`."""
        while self.flood.seconds < seconds:
            await self.flood.more(RATE // 10)

    def _begin(self, what: str) -> None:
        """From now on count the seconds since `what`."""
        self._what = what
        self._begun_at = time.monotonic()

    def _seconds(self) -> float:
        return time.monotonic() - self._begun_at

    async def _taken(self, partitions: Collection[int], member: ServiceProcess) -> None:
        await self.fleet.taken(partitions, besides=member)
        seconds = self._seconds()
        print(f"{self._what}: others have its {len(partitions)} partitions after {seconds:.1f} s")
        assert seconds <= LONGEST_TAKEOVER_S

    async def _shared(self) -> None:
        await self.fleet.shared(self.live)
        seconds = self._seconds()
        print(f"{self._what}: {len(self.live)} processors share all partitions evenly after {seconds:.1f} s")
        assert seconds <= LONGEST_SHARING_S
        await self.flood.more(CALM)

    async def _assert_fenced(self, member: ServiceProcess, partitions: Collection[int], call: str) -> None:
        """It notices that it has lost what it had, and what its thread came to so late does not settle the call.

        Redis refuses that, or it is not even sent: that depends on whether the processor notices the loss first.
        """
        await until(lambda: lost_by(member) >= set(partitions), "it notices what it has lost")
        await self.flood.more(CALM)
        refused = (await member.metrics())["hookline_fenced_total"]
        print(
            f"continued: it has noticed the loss of {len(partitions)} partitions; Redis refused {refused:.0f} late settlements"
        )
        assert self.fleet.pair.stored.pending(partition_of(call, PARTITIONS), STATUSES)


def lost_by(member: ServiceProcess) -> set[int]:
    """Return the partitions that it has logged as lost."""
    named = [line["partitions"].split(", ") for line in member.logs if line["event"] == "lost partitions"]
    bounds = [part.split("-") for parts in named for part in parts]
    return {number for first, *last in bounds for number in range(int(first), int(last[0] if last else first) + 1)}


@asynccontextmanager
async def loaded(fleet: Fleet) -> AsyncIterator[Run]:
    """Yield a run whose load ends with the block."""
    flood = Flood(fleet.pair.ingress.port, RATE, CONVERSATIONS)
    running = asyncio.create_task(flood.run())
    try:
        await flood.more(CALM)
        yield Run(fleet, flood)
    finally:
        flood.end()
        await running


async def assert_all_handled(run: Run) -> None:
    """Wait until all is settled, then count, and say what was counted."""
    pair, flood = run.fleet.pair, run.flood
    print(f"load: {len(flood.acknowledged)} acknowledged in {flood.seconds:.1f} s, {flood.rate:.0f}/s; {flood.refused} refused")
    await until(pair.settled, "all is settled")
    history = History(run.fleet.record.lines(), run.faults)
    lost, again = set(flood.acknowledged) - history.handled, history.again()
    print(f"settled: {len(lost)} lost, {len(pair.dead_letters())} dead, 0 pending")
    print(f"begun again: {again['kill']} after the kill, {again['stop']} after the stop, {again[NO_FAULT]} without a fault")
    print(f"of these {history.twice()} were handled to the end twice; {history.burnt()} attempts counted as failed")
    begun, ended = history.out_of_order("begin"), history.out_of_order("end")
    print(f"order: {begun} first attempts and {ended} first ends out of order, {history.at_once()} attempts beside one another")
    assert not lost
    assert pair.dead_letters() == []
    assert again[NO_FAULT] == 0
    assert history.burnt() == pair.retry_records() == 0
    assert begun == ended == history.at_once() == 0


async def test_kill_stop_join_and_leave(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """Whatever comes and goes, all is handled in order; only what a killed or stopped processor was doing is done again."""
    print(f"\n{PROCESSORS} processors, lease {LEASE_S} s, {RATE} messages/s wanted of {CONVERSATIONS} conversations")
    async with started_fleet(own_redis, services, tmp_path, PROCESSORS, PROCESSING) as fleet:
        async with loaded(fleet) as run:
            await run.kill()
            await run.stop_and_continue()
            await run.join()
            await run.leave()
            await run.last(DURATION_S)
        await assert_all_handled(run)
