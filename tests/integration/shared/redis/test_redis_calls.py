"""Calls on a connection to Redis that time out, are cancelled or cut: none is repeated, and no answer is taken for another."""

import asyncio
from hashlib import sha1

import pytest
import redis

from hookline_shared.clock import SystemClock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.redis.manager import Command, RedisConnectionManager, Script, ScriptCall
from hookline_shared.redis.node import BLOCKING
from hookline_shared.redis.options import RedisOptions
from tests.integration.conftest import Connect
from tests.support.faults.fault_proxy import FaultProxy
from tests.support.observability.logbook import Logbook
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS
from tests.support.time.manual_clock import ManualClock

LONGEST_PROBE_PAUSE_S = 10

TEXT = "return ARGV[1]"

SCRIPT = Script(TEXT, sha1(TEXT.encode()).hexdigest())

SHORT_S = 0.05

LONG_S = 20.0


def good(answer: object) -> object:
    if isinstance(answer, Exception):
        raise answer
    return answer


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
