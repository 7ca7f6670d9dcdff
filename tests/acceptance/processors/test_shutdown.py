"""Processors that are asked to stop while others run: what they do to the end, and what the others take over at once.

Where leases are long, they run for longer than any test would wait: whatever others take, they were given.
"""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from hookline_shared.partitions import partition_of
from tests.acceptance.support.fleet import Fleet, started_fleet
from tests.acceptance.support.flood import SETTINGS, Flood
from tests.acceptance.support.history import NO_FAULT, History
from tests.acceptance.support.pair import Backend
from tests.support.inbound.kinds import RECIPIENT, call_status, message, sid
from tests.support.inbound.webhooks import Params, Twilio
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.stored import PARTITIONS
from tests.support.waiting import until

PATIENT: Final = {"HOOKLINE_TEST_TIMEOUT_S": "60"}
"""No handler is ever late."""
LONG_LEASE: Final = PATIENT | {"PROCESSOR_LEASE_S": "300"}
SHORT_LEASE: Final = PATIENT | {"PROCESSOR_LEASE_S": "2"}
SENDERS: Final = [f"+1415555{number:04d}" for number in range(40)]
GATED: Final = sid("XX")
SIDS: Final = [sid("CA") for _ in range(200)]
LAST: Final = PARTITIONS - 1
"""A partition that goes to the second processor when it comes."""
RATE, CONVERSATIONS = 200, 100


def partition(sender: str) -> int:
    return partition_of(f"{sender}:{RECIPIENT}", PARTITIONS)


AT_THE_LAST: Final = next(sender for sender in SENDERS if partition(sender) == LAST)


async def texted(fleet: Fleet, body: str, sender: str) -> str:
    """Deliver a message; return its SID."""
    message_sid = sid("SM")
    await fleet.pair.deliver(Twilio().webhook(message(Body=body, From=sender, MessageSid=message_sid)))
    return message_sid


async def held_up(fleet: Fleet, sender: str) -> tuple[str, ServiceProcess]:
    """Deliver a message whose handler waits at the gate; return its SID, and the processor that handles it."""
    message_sid = await texted(fleet, "gate", sender)
    return message_sid, fleet.member(await fleet.record.begins(message_sid))


def attempts(fleet: Fleet, what: str) -> list[tuple[str, int]]:
    """Return the SID and number of each attempt, as often as it was made."""
    return sorted((line["sid"], line["attempt"]) for line in fleet.pair.lines(what))


def handlers_of(fleet: Fleet, message_sid: str) -> list[int]:
    """Return the processes in which a message was handled."""
    return [line["pid"] for line in fleet.pair.lines() if line["sid"] == message_sid]


async def test_what_runs_is_finished_and_the_rest_is_taken_over_at_once(
    own_redis: RedisServer, services: Services, tmp_path: Path
) -> None:
    """While a handler goes on to its end, others take what else was read; nothing begins twice, and no attempt is counted."""
    settings = LONG_LEASE | {"PROCESSOR_CONCURRENCY": "1"}  # so that much is read and little begun
    async with started_fleet(own_redis, services, tmp_path, 2, settings) as fleet:
        first = SENDERS[0]
        running, leaver = await held_up(fleet, first)
        (stayer,) = set(fleet.members) - {leaver}
        sent = [await texted(fleet, "", sender) for sender in SENDERS]
        left = [sender for sender in SENDERS if partition(sender) in fleet.partitions_of(leaver)]
        await until(lambda: pending(fleet, leaver) == 1 + len(left), "it has read what is in its partitions, and begun one")
        await until(lambda: len(fleet.pair.lines()) == len(SENDERS) - len(left), "the other has handled the rest")

        leaver.terminate()
        free = sum(partition(sender) != partition(first) for sender in SENDERS)
        await until(lambda: len(fleet.pair.lines()) == free, "all is handled but what is in the partition of the running one")
        assert fleet.partitions_of(leaver) == {partition(first)}
        assert leaver.exit_code is None
        fleet.open_gate()
        assert await leaver.ended() == 0
        await until(fleet.pair.settled, "all is settled")
        assert handlers_of(fleet, running) == [leaver.pid]
        assert all(handlers_of(fleet, one) == [stayer.pid] for one in sent)
        assert attempts(fleet, "begin") == attempts(fleet, "end") == sorted((one, 1) for one in (running, *sent))


def pending(fleet: Fleet, member: ServiceProcess) -> int:
    """Return how many messages were read and not settled in the partitions of `member`."""
    return sum(len(fleet.pair.stored.pending(number, "messages")) for number in fleet.partitions_of(member))


async def test_handler_that_does_not_end_is_handled_anew(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """At the deadline a handler is cancelled, which is no attempt: another processor gets the event at once, as it was."""
    async with started_fleet(own_redis, services, tmp_path, 2, LONG_LEASE | {"PROCESSOR_SHUTDOWN_S": "1"}) as fleet:
        running, leaver = await held_up(fleet, SENDERS[0])
        behind = await texted(fleet, "", SENDERS[0])
        assert await leaver.stop() == 0
        stayer = await fleet.record.begins(running, besides=leaver.pid)
        fleet.open_gate()
        await until(fleet.pair.settled, "all is settled")
        assert handlers_of(fleet, running) == handlers_of(fleet, behind) == [stayer]
        assert attempts(fleet, "begin") == sorted([(running, 1), (running, 1), (behind, 1)])


async def test_second_signal_stops_at_once(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """A second SIGTERM waits for no handler; once the lease has run out, others handle its event, as the same attempt."""
    async with started_fleet(own_redis, services, tmp_path, 2, SHORT_LEASE) as fleet:
        running, leaver = await held_up(fleet, SENDERS[0])
        behind = await texted(fleet, "", SENDERS[0])
        leaver.terminate()
        await leaver.logged("stopping")
        leaver.terminate()
        assert await leaver.ended() == 0
        stayer = await fleet.record.begins(running, besides=leaver.pid)
        fleet.open_gate()
        await until(fleet.pair.settled, "all is settled")
        assert handlers_of(fleet, running) == handlers_of(fleet, behind) == [stayer]
        assert attempts(fleet, "begin") == sorted([(running, 1), (running, 1), (behind, 1)])


@pytest.mark.parametrize(
    "webhook",
    [
        pytest.param(message(Body="gate", MessageSid=GATED), id="async"),
        pytest.param(
            call_status(CallSid=GATED),
            id="thread",
        ),
    ],
)
async def test_stopped_past_its_lease_while_it_was_leaving(
    webhook: Params, own_redis: RedisServer, services: Services, tmp_path: Path
) -> None:
    """A processor that loses a partition while it drains ends as well as any other, and does not settle what was running."""
    async with started_fleet(own_redis, services, tmp_path, 2, SHORT_LEASE) as fleet:
        await fleet.pair.deliver(Twilio().webhook(webhook))
        leaver = fleet.member(await fleet.record.begins(GATED))
        leaver.terminate()
        await leaver.logged("stopping")
        leaver.pause()
        stayer = await fleet.record.begins(GATED, besides=leaver.pid)
        leaver.resume()
        await until(lambda: leaver.find("stopped") or "Traceback" in leaver.errors, "it has stopped")
        assert "Traceback" not in leaver.errors
        assert await leaver.ended() == 0
        fleet.open_gate()
        await until(fleet.pair.settled, "all is settled")
        assert handlers_of(fleet, GATED) == [stayer]
        assert attempts(fleet, "begin") == [(GATED, 1), (GATED, 1)]


@pytest.mark.parametrize(
    "webhook",
    [
        pytest.param(message(Body="gate", From=AT_THE_LAST), id="async"),
        pytest.param(call_status(CallSid=next(one for one in SIDS if partition_of(one, PARTITIONS) == LAST)), id="thread"),
    ],
)
async def test_newcomer_waits_for_what_runs(
    webhook: Params, own_redis: RedisServer, services: Services, tmp_path: Path
) -> None:
    """However long a handler takes, its partition goes to a newcomer only when it has ended; the other ones go at once."""
    async with started_fleet(own_redis, services, tmp_path, 1, LONG_LEASE | {"PROCESSOR_SHUTDOWN_S": "0"}) as fleet:
        await fleet.pair.deliver(Twilio().webhook(webhook))
        await until(lambda: len(fleet.pair.lines("begin")) == 1, "it runs")
        newcomer = await fleet.join()
        await until(lambda: len(fleet.partitions_of(newcomer)) >= PARTITIONS // 2 - 1, "the newcomer has what is free")
        assert LAST not in fleet.partitions_of(newcomer)
        fleet.open_gate()
        await fleet.shared(fleet.members)
        await until(fleet.pair.settled, "all is settled")
        assert len(fleet.pair.lines("begin")) == len(fleet.pair.lines()) == 1


async def test_stopping_hurries_a_hand_over(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """A processor that waits for a handler, to hand its partition over, waits no longer than it may once it is told to stop."""
    async with started_fleet(own_redis, services, tmp_path, 1, LONG_LEASE | {"PROCESSOR_SHUTDOWN_S": "0"}) as fleet:
        (leaver,) = fleet.members
        await fleet.pair.deliver(Twilio().webhook(message(Body="gate", MessageSid=GATED, From=AT_THE_LAST)))
        await until(lambda: len(fleet.pair.lines("begin")) == 1, "it runs")
        newcomer = await fleet.join()
        await until(lambda: len(fleet.partitions_of(newcomer)) >= PARTITIONS // 2 - 1, "the newcomer has what is free")
        assert await leaver.stop() == 0
        assert await fleet.record.begins(GATED, besides=leaver.pid) == newcomer.pid
        fleet.open_gate()
        await until(fleet.pair.settled, "all is settled")
        assert attempts(fleet, "begin") == [(GATED, 1), (GATED, 1)]


async def test_rolling_restart_under_load(backend: Backend, services: Services, tmp_path: Path) -> None:
    """Processors are replaced one by one, and nothing is missing, handled again or out of order; no attempt is counted."""
    settings = LONG_LEASE | SETTINGS | {"HOOKLINE_TEST_WORK_S": "0.02"}
    async with started_fleet(backend, services, tmp_path, 3, settings) as fleet:
        flood = Flood(fleet.pair.ingress.port, RATE, CONVERSATIONS)
        running = asyncio.create_task(flood.run())
        for member in fleet.members:
            await flood.more(RATE // 2)
            assert await member.stop() == 0
            await member.start()
            await fleet.shared(fleet.members)
        await flood.more(RATE // 2)
        flood.end()
        await running
        await until(fleet.pair.settled, "all is settled")
        history = History(fleet.record.lines())
        assert set(flood.acknowledged) == history.handled
        assert (flood.refused, fleet.pair.dead_letters()) == (0, [])
        assert history.again()[NO_FAULT] == history.burnt() == history.at_once() == history.out_of_order("end") == 0
