"""The connections to Redis: what they say of it, and that no answer is ever taken for another one's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha1

import pytest
import redis

from hookline_shared.clock import SystemClock
from hookline_shared.errors import BrokerUnavailableError, LayoutMismatchError
from hookline_shared.redis.manager import Command, RedisConnectionManager, Script, ScriptCall
from hookline_shared.redis.node import BLOCKING
from hookline_shared.redis.options import RedisOptions
from tests.integration.conftest import Connect
from tests.support.fault_proxy import FaultProxy
from tests.support.keys import keys
from tests.support.logbook import Logbook
from tests.support.manual_clock import ManualClock
from tests.support.ports import LOOPBACK, free_port
from tests.support.redis_server import RedisServer
from tests.support.stored import PARTITIONS
from tests.support.waiting import PATIENCE_S, until

LONGEST_PROBE_PAUSE_S = 10
TEXT = "return ARGV[1]"
SCRIPT = Script(TEXT, sha1(TEXT.encode()).hexdigest())
SHORT_S = 0.05
LONG_S = 20.0


@asynccontextmanager
async def watched(connection: RedisConnectionManager) -> AsyncIterator[asyncio.Task[None]]:
    """Probe Redis in the background, on the connection's own clock."""
    watch = asyncio.create_task(connection.monitor.run())
    try:
        yield watch
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def told(connection: RedisConnectionManager, clock: ManualClock, holds: Callable[[str | None], bool]) -> str:
    """Let it probe until the readiness check `holds`; return the check."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await clock.wait_for_sleepers()  # the last probe is done
            if holds(connection.monitor.check()):
                return connection.monitor.check() or ""
            await clock.advance(LONGEST_PROBE_PAUSE_S)


def good(answer: object) -> object:
    if isinstance(answer, Exception):
        raise answer
    return answer


def told_of_redis(logbook: Logbook) -> list[str]:
    """What was logged, without warnings of how the server is set up, which differ from server to server."""
    return [line["event"] for line in logbook.lines if line["event"] in ("redis unavailable", "redis answers")]


def fine(check: str | None) -> bool:
    return check is None


def trouble(check: str | None) -> bool:
    return check not in (None, "not connected yet")


async def test_not_connected_at_first(broker: RedisConnectionManager) -> None:
    """Before the first answer nothing is ready, and nothing may be written."""
    assert broker.monitor.check() == "not connected yet"
    assert not broker.monitor.ready


async def test_ready_once_redis_answers(broker: RedisConnectionManager, logbook: Logbook) -> None:
    """Readiness begins with the first answer, and with it whoever waited goes on."""
    async with watched(broker):
        await broker.monitor.wait_ready()
        assert broker.monitor.check() is None
        assert broker.monitor.ready
    assert logbook.find("redis answers") is not None


async def test_layout_is_written_once(connect: Connect, redis_url: str, redis_client: "redis.Redis") -> None:
    """The first service lays the data out, those after it find the layout there."""
    for _ in range(2):
        connection = connect(redis_url, partitions=4)
        async with watched(connection):
            await connection.monitor.wait_ready()
    assert redis_client.hgetall(keys.layout) == {b"partitions": b"4", b"schema": b"1"}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"partitions": "16", "schema": "1"}, "partitions=16, but this service has partitions=8. Set HOOKLINE_PARTITIONS"),
        ({"partitions": "8", "schema": "2"}, "schema=2, but this service has schema=1. Run the version"),
        ({"partitions": "16"}, "partitions=16"),
    ],
)
async def test_other_layout_ends_the_watch(
    broker: RedisConnectionManager, redis_client: "redis.Redis", found: dict[str, str], message: str
) -> None:
    """Data laid out otherwise is not touched: the service ends, and says what to do."""
    for name, value in found.items():
        redis_client.hset(keys.layout, name, value)
    with pytest.raises(LayoutMismatchError, match=message):
        await broker.monitor.run()
    assert not broker.monitor.ready


async def test_flushed_layout_is_written_again(
    broker: RedisConnectionManager, clock: ManualClock, redis_client: "redis.Redis"
) -> None:
    """After FLUSHALL the layout comes back, so that a service with other partitions still notices."""
    async with watched(broker):
        await broker.monitor.wait_ready()
        redis_client.flushall()
        await clock.advance(LONGEST_PROBE_PAUSE_S)
        await until(lambda: redis_client.exists(keys.layout), "the layout is back")


async def test_wrong_password_names_the_setting_and_recovers(connect: Connect, clock: ManualClock) -> None:
    """A refused password is reported as such, without the password; once Redis takes it, all is well."""
    with RedisServer({"requirepass": "right"}) as server:
        connection = connect(server.url.replace(":right@", ":wr0ng@"))
        async with watched(connection):
            problem = await told(connection, clock, trouble)
            assert "Redis refused the user or password" in problem
            assert "REDIS_URL" in problem
            assert "wr0ng" not in problem
            with server.client as client:
                client.config_set("requirepass", "wr0ng")
            await told(connection, clock, fine)


async def test_missing_password_names_the_setting(connect: Connect, clock: ManualClock) -> None:
    """A server that wants a password nobody gave is reported as such."""
    with RedisServer({"requirepass": "right"}) as server:
        connection = connect(server.url.replace(":right@", ""))
        async with watched(connection):
            problem = await told(connection, clock, trouble)
    assert "password" in problem
    assert "REDIS_URL" in problem


async def test_unreachable_server_names_the_setting_and_recovers(
    connect: Connect, clock: ManualClock, logbook: Logbook
) -> None:
    """A service may start before its Redis: it says what is missing, once, and is ready when Redis is there."""
    with RedisServer() as server:
        server.stop()
        connection = connect(server.url)
        async with watched(connection):
            problem = await told(connection, clock, trouble)
            assert "Redis cannot be reached" in problem
            assert "REDIS_URL" in problem
            assert f"{LOOPBACK}:{server.port}" in problem
            for _ in range(3):
                await clock.advance(LONGEST_PROBE_PAUSE_S)
                await clock.wait_for_sleepers()
            assert told_of_redis(logbook) == ["redis unavailable"]
            server.start()
            await told(connection, clock, fine)
    assert told_of_redis(logbook) == ["redis unavailable", "redis answers"]


async def test_lost_server_is_noticed_and_found_again(connect: Connect, clock: ManualClock) -> None:
    """A crash shows in the readiness check, and so does the recovery."""
    with RedisServer() as server:
        connection = connect(server.url)
        async with watched(connection):
            await told(connection, clock, fine)
            server.kill()
            await told(connection, clock, trouble)
            assert connection.monitor.ready, "what was checked once need not be checked before each write"
            server.start()
            await told(connection, clock, fine)


async def test_server_that_takes_no_writes_is_not_ready(connect: Connect, clock: ManualClock) -> None:
    """A replica answers PING, yet is of no use: the probe writes."""
    with RedisServer({"replicaof": f"{LOOPBACK} {free_port()}"}) as server:
        connection = connect(server.url)
        async with watched(connection):
            problem = await told(connection, clock, trouble)
    assert "read-only replica" in problem


async def test_unix_socket(connect: Connect, clock: ManualClock) -> None:
    """A Redis on a Unix socket is as good as one on a port."""
    with RedisServer() as server:
        socket = server.folder / "redis.sock"
        server.kill()
        with RedisServer({"unixsocket": str(socket)}):
            connection = connect(f"unix://{socket}")
            async with watched(connection):
                await told(connection, clock, fine)


async def test_call_that_times_out_is_an_error(connect: Connect) -> None:
    """A server that stalls is an error after the call's own time, with a hint."""
    with RedisServer() as server:
        connection = connect(server.url)
        await connection.execute("ping", "k", "PING")
        server.pause()
        with pytest.raises(BrokerUnavailableError, match="did not answer in time"):
            await connection.execute("ping", "k", "PING", timeout_s=SHORT_S)


@pytest.mark.parametrize("kind", ["command", "script", "pipeline", "blocking"])
async def test_late_answer_is_never_taken_for_another_ones(connect: Connect, kind: str) -> None:
    """After a stall every call gets its own answer, not that of the call which was given up before it."""
    with RedisServer() as server:
        connection = connect(server.url)

        async def ask(value: str, timeout_s: float) -> object:
            match kind:
                case "command":
                    return await connection.execute("echo", "k", "ECHO", value, timeout_s=timeout_s)
                case "script":
                    calls = [ScriptCall(["k"], [value])]
                    return good((await connection.run("script", SCRIPT, calls, timeout_s))[0])
                case "pipeline":
                    words = [("ECHO", "first"), ("ECHO", value)]
                    return good((await connection.pipeline("pipeline", [Command("k", one) for one in words], timeout_s))[-1])
                case _:
                    return await connection.execute("echo", "k", "ECHO", value, timeout_s=timeout_s, pool=BLOCKING)

        assert await ask("before", LONG_S) == b"before"
        server.pause()
        for number in range(3):
            with pytest.raises(BrokerUnavailableError):
                await ask(f"given up {number}", SHORT_S)
        server.resume()
        for number in range(20):
            assert await ask(f"after {number}", LONG_S) == f"after {number}".encode()


async def test_many_calls_given_up_at_once(connect: Connect) -> None:
    """More calls than there are connections, all given up, leave every connection usable."""
    with RedisServer() as server:
        connection = connect(server.url, breaker_failures=1000)

        async def ask(value: str, timeout_s: float) -> object:
            return await connection.execute("echo", "k", "ECHO", value, timeout_s=timeout_s)

        await asyncio.gather(*(ask(str(number), LONG_S) for number in range(50)))
        server.pause()
        outcomes = await asyncio.gather(*(ask("given up", SHORT_S) for _ in range(50)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {BrokerUnavailableError}
        server.resume()
        answers = await asyncio.gather(*(ask(str(number), LONG_S) for number in range(50)))
        assert answers == [str(number).encode() for number in range(50)]


async def test_cancelled_call_poisons_no_connection(connect: Connect) -> None:
    """A task that is cancelled while it waits for Redis leaves nothing behind for the next one."""
    with RedisServer() as server:
        connection = connect(server.url)
        await connection.execute("echo", "k", "ECHO", "warm")
        server.pause()
        asking = [asyncio.create_task(connection.execute("echo", "k", "ECHO", "cancelled", timeout_s=LONG_S)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in asking:
            task.cancel()
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}
        server.resume()
        for number in range(10):
            assert await connection.execute("echo", "k", "ECHO", str(number)) == str(number).encode()


async def test_connection_cut_by_the_server(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """A connection that the server closed while idle, as firewalls do, costs at most one failed call."""
    await broker.execute("ping", "k", "PING")
    redis_client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    try:
        await broker.execute("ping", "k", "PING")
    except BrokerUnavailableError:
        await broker.execute("ping", "k", "PING")


async def test_nothing_is_resent(connect: Connect, own_redis: RedisServer) -> None:
    """A write whose answer did not come is not made again behind the caller's back."""
    connection = connect(own_redis.url)
    await connection.execute("ping", "k", "PING")
    own_redis.pause()
    with pytest.raises(BrokerUnavailableError):
        await connection.execute("rpush", "list", "RPUSH", "list", "x", timeout_s=SHORT_S)
    own_redis.resume()
    with own_redis.client as client:
        await connection.execute("ping", "k", "PING")
        assert client.llen("list") <= 1


async def test_command_that_was_given_up_never_happens_later(connect: Connect, own_redis: RedisServer) -> None:
    """Once the next command is answered, one that was given up before it has happened or never will: its connection is gone."""
    connection = connect(own_redis.url)
    await connection.execute("ping", "k", "PING")
    with own_redis.client as client:
        (given_up,) = [one["id"] for one in client.client_list() if one["name"] == "hookline"]
        own_redis.pause()
        with pytest.raises(BrokerUnavailableError):
            await connection.execute("rpush", "list", "RPUSH", "list", "late", timeout_s=SHORT_S)
        own_redis.resume()
        await connection.execute("ping", "k", "PING", timeout_s=LONG_S)
        assert given_up not in [one["id"] for one in client.client_list()]


async def test_open_breaker_waits_for_the_probe(connect: Connect, own_redis: RedisServer, clock: ManualClock) -> None:
    """After some failures in a row nothing is sent, even if Redis is back, until the probe that is due has succeeded."""
    connection = connect(own_redis.url, breaker_failures=3)
    await connection.monitor.refresh()
    own_redis.kill()
    for _ in range(3):
        with pytest.raises(BrokerUnavailableError, match="cannot be reached"):
            await connection.execute("ping", "k", "PING")
    own_redis.start()
    await connection.monitor.refresh()  # too early
    with pytest.raises(BrokerUnavailableError, match="not called until a probe succeeds"):
        await connection.execute("ping", "k", "PING")
    await clock.advance(LONGEST_PROBE_PAUSE_S)
    await connection.monitor.refresh()
    assert await connection.execute("ping", "k", "PING") == b"PONG"


async def test_unknown_script_costs_no_second_time_out(own_redis: RedisServer, logbook: Logbook) -> None:
    """Sending a script again that Redis does not know takes what is left of the time, not as much once more."""
    async with FaultProxy(own_redis.port) as proxy:
        options = RedisOptions(url=proxy.url)
        connection = RedisConnectionManager(options, PARTITIONS, SystemClock(), logbook.logger)
        await connection.monitor.refresh()
        proxy.delay(0.3)
        (answer,) = await connection.run("test", SCRIPT, [ScriptCall([keys.retries(0)], ["one"])], 0.5)
        assert isinstance(answer, BrokerUnavailableError)
        await connection.close()
