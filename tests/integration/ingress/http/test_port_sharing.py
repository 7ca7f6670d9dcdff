"""A port that two servers share: one that is not ready leaves it to the other, and nobody ever leaves it to nobody."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from hookline_ingress.http.port_sharing import PortSharing, others_listen
from hookline_shared.lifecycle.service import Supervisor
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.http_server import LIMITS, ServerHarness, request, served
from tests.support.ingress.ingress_client import raw_request
from tests.support.ingress.local_ingress import ingress_settings, listening_ingress, running_ingress
from tests.support.ingress.wire import connected
from tests.support.observability.logbook import Logbook
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.redis_server import RedisServer
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until

CONNECTIONS = 30
TROUBLE = "the spool is full"


class Sharer:
    """A server and what decides whether it listens, in one process with the other: the kernel sees two sockets all the same."""

    def __init__(self, clock: ManualClock, supervisor: Supervisor) -> None:
        self.logbook = Logbook()
        self.server = ServerHarness(LIMITS._replace(connections=100), clock, self.logbook)
        self.trouble: str | None = None
        self.sharing = PortSharing(self.server, lambda: self.trouble, clock, self.logbook.logger)
        self._supervisor = supervisor

    async def start(self, port: int) -> None:
        """Bind the port, and make the first decision."""
        await self.server.open(LOOPBACK, port, self._supervisor)
        await self.sharing.decide()

    async def fails(self, trouble: str = TROUBLE) -> None:
        """Be not ready at the next decision."""
        self.trouble = trouble
        await self.sharing.decide()

    async def recovers(self) -> None:
        """Be ready at the next decision."""
        self.trouble = None
        await self.sharing.decide()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def pair(clock: ManualClock, port: int, logbook: Logbook) -> AsyncIterator[list[Sharer]]:
    """Yield two servers that are ready and listen."""
    supervisor = Supervisor(logbook.logger)
    sharers = [Sharer(clock, supervisor) for _ in range(2)]
    for sharer in sharers:
        await sharer.start(port)
    yield sharers
    for sharer in sharers:
        await sharer.server.stop()
    await supervisor.close()


async def connect_often(port: int) -> None:
    """Send one request on each of many connections; each must be answered."""
    for _ in range(CONNECTIONS):
        async with connected(port) as wire:
            await served(wire)


def listening(sharers: list[Sharer]) -> list[bool]:
    return [sharer.server.listening for sharer in sharers]


async def test_all_connections_go_to_the_one_that_is_ready(pair: list[Sharer], port: int) -> None:
    """The kernel gives none to the other, which has said why."""
    await pair[0].fails()
    await connect_often(port)
    assert len(pair[1].server.taken) == CONNECTIONS
    line = pair[0].logbook.find("left the port to other processes, since ingress is not ready")
    assert line is not None
    assert line["reason"] == TROUBLE
    assert pair[0].server.check_listening() is not None


async def test_open_connections_move_as_well(pair: list[Sharer], port: int) -> None:
    """A proxy that keeps connections open gets a last reply on one in use, and idle ones are closed."""
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(connected(port)) for _ in range(CONNECTIONS)]
        await until(lambda: sum(len(one.server.admitted) for one in pair) == CONNECTIONS, "all are accepted")
        own = len(pair[0].server.admitted)
        assert 0 < own < CONNECTIONS
        for wire in wires:
            wire.send(request("/held"))
        await until(lambda: sum(len(one.server.taken) for one in pair) == CONNECTIONS, "all are answering")
        await pair[0].fails()
        for one in pair:
            one.server.go_on.set()
        answers = [await wire.answer() for wire in wires]
        assert [answer.status for answer in answers] == [200] * CONNECTIONS
        assert sum(answer.headers.get("connection") == "close" for answer in answers) == own


async def test_idle_connections_are_closed(pair: list[Sharer], port: int) -> None:
    """Nothing more comes on a connection that a proxy has kept."""
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(connected(port)) for _ in range(CONNECTIONS)]
        await until(lambda: sum(len(one.server.admitted) for one in pair) == CONNECTIONS, "all are accepted")
        await pair[0].fails()
        ends = [asyncio.ensure_future(wire.rest()) for wire in wires]
        own = len(pair[0].server.admitted)
        await until(lambda: sum(end.done() for end in ends) == own, "its own are closed, and no other")
        for end in ends:
            end.cancel()


async def test_lone_one_answers_itself(pair: list[Sharer], port: int) -> None:
    """A 503 tells more than a refused connection, so the last one that listens stays, ready or not."""
    await pair[0].server.stop()
    await pair[1].fails()
    assert pair[1].server.listening
    await connect_often(port)


async def test_one_of_two_in_trouble_stays(pair: list[Sharer], port: int) -> None:
    """They do not both leave, in whatever order they decide; and if the last one ends, the other takes its place."""
    for sharer in pair:
        sharer.trouble = TROUBLE
    for _ in range(5):
        await asyncio.gather(*(sharer.sharing.decide() for sharer in reversed(pair)))
        assert sum(listening(pair)) == 1
    away = next(sharer for sharer in pair if not sharer.server.listening)
    last = next(sharer for sharer in pair if sharer.server.listening)
    await last.server.stop()
    await away.sharing.decide()
    assert away.server.listening
    await connect_often(port)


async def test_flapping_moves_once(pair: list[Sharer], clock: ManualClock) -> None:
    """One that is ready only now and then stays away until it has been ready for a while."""
    await pair[0].fails()
    for _ in range(10):
        await pair[0].recovers()
        await clock.advance(2)
        await pair[0].recovers()
        assert listening(pair) == [False, True]
        await pair[0].fails()
    await pair[0].recovers()
    await clock.advance(5)
    await pair[0].recovers()
    assert listening(pair) == [True, True]
    assert pair[0].server.check_listening() is None
    assert [line["event"] for line in pair[0].logbook.lines].count("listening again") == 1


async def test_newcomer_waits_until_it_is_ready(pair: list[Sharer], port: int, clock: ManualClock, logbook: Logbook) -> None:
    """One that has just started gets nothing before it can store it, and then at once."""
    await pair[0].server.stop()
    newcomer = Sharer(clock, Supervisor(logbook.logger))
    newcomer.trouble = "Redis was not reached yet"
    await newcomer.start(port)
    assert listening([newcomer]) == [False]
    await connect_often(port)
    assert not newcomer.server.admitted
    await newcomer.recovers()
    assert listening([newcomer]) == [True]
    assert newcomer.logbook.lines == []
    await newcomer.server.stop()


async def test_two_do_not_decide_at_once(pair: list[Sharer], port: int) -> None:
    """While another process decides about the port, nobody leaves; where the lock cannot be had, nobody ever does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(f"\0hookline-ingress-port-{port}")
        await pair[0].fails()
        assert listening(pair) == [True, True]
    await pair[0].fails()
    assert listening(pair) == [False, True]


@pytest.mark.parametrize(
    ("family", "own", "other", "expected"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1", True),
        (socket.AF_INET, "127.0.0.1", "127.0.0.2", False),
        (socket.AF_INET6, "::1", "::1", True),
    ],
)
def test_others_are_told_by_their_address(family: socket.AddressFamily, own: str, other: str, *, expected: bool) -> None:
    """Only who listens on the same address and port gets the connections. A bound socket that does not listen gets none."""
    port = free_port()
    with socket.socket(family) as ours, socket.socket(family) as theirs:
        for one, host in ((ours, own), (theirs, other)):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.bind((host, port))
        ours.listen()
        assert not others_listen([ours])
        theirs.listen()
        assert others_listen([ours]) is expected


async def test_ingress_without_redis_gets_nothing(redis_server: RedisServer, port: int) -> None:
    """Of two that share a port, one has neither Redis nor a spool: every webhook is accepted all the same."""
    twilio = Twilio()
    async with running_ingress(ingress_settings(redis_server.url) | {"INGRESS_PORT": port}) as good:
        nowhere = ingress_settings(f"redis://{LOOPBACK}:{free_port()}") | {"INGRESS_PORT": port}
        async with listening_ingress(nowhere) as bad:
            for number in range(CONNECTIONS):
                async with connected(port) as wire:
                    wire.send(raw_request(twilio.webhook(message(Body=str(number))), port))
                    assert (await wire.answer()).status == 200
            reply = await bad.admin.request("GET", "/readyz?verbose", {})
            assert b"the port for webhooks is not open yet" in reply.body
        assert good.port == port
