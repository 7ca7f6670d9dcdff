"""The faults of the proxy that concern replies: truncated, replaced by errors, in pieces; and its end."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
import redis
from redis.asyncio import Redis

from tests.support.faults.fault_proxy import FaultProxy, raw
from tests.support.servers.ports import free_port
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until

LOADING = "LOADING Redis is loading the dataset in memory"

TOO_LONG_S = 3600.0

Connect = Callable[[], "Redis"]


@pytest.mark.parametrize("after_bytes", [0, 3, 5, 1000])
async def test_truncated_write_has_happened(
    proxy: FaultProxy, client: "Redis", connect: Connect, redis_client: "redis.Redis", after_bytes: int
) -> None:
    """The command reaches the server, its reply is cut and the connection closed, and so it goes on until `heal`."""
    proxy.truncate(after_bytes)
    with pytest.raises(redis.ConnectionError):
        await client.set("key", "value")
    assert redis_client.get("key") == b"value"
    with pytest.raises(redis.ConnectionError):
        await connect().get("key")
    proxy.heal()
    assert await connect().get("key") == b"value"


async def test_truncate_gives_the_first_bytes(proxy: FaultProxy) -> None:
    """What comes before the cut is what the server said."""
    proxy.truncate(after_bytes=5)
    async with raw(proxy) as (reader, writer):
        writer.write(b"*2\r\n$4\r\nECHO\r\n$6\r\nanswer\r\n")
        assert await reader.read() == b"$6\r\na"


async def test_answer_to_all(proxy: FaultProxy, client: "Redis", redis_client: "redis.Redis") -> None:
    """Every command is answered with the error and reaches nobody, on connections that exist, until `heal`."""
    proxy.answer(LOADING)
    with pytest.raises(redis.BusyLoadingError):
        await client.set("key", "value")
    assert redis_client.get("key") is None
    proxy.heal()
    assert await client.set("key", "value")


async def test_answer_on_a_new_connection(proxy: FaultProxy, connect: Connect) -> None:
    """A connection made while Redis loads meets the error as well."""
    proxy.answer(LOADING)
    with pytest.raises(redis.BusyLoadingError):
        await connect().ping()


async def test_answer_to_one_of_three_keeps_the_order(proxy: FaultProxy, client: "Redis") -> None:
    """In a pipeline each command gets its own reply, whoever answers it."""
    proxy.answer("OOM command not allowed", ["set"])
    for _ in range(50):
        async with client.pipeline(transaction=False) as pipeline:
            pipeline.echo("before")
            pipeline.set("key", "value")
            pipeline.echo("after")
            before, refused, after = await pipeline.execute(raise_on_error=False)
        assert (before, after) == (b"before", b"after")
        assert isinstance(refused, redis.exceptions.OutOfMemoryError)
    assert await client.exists("key") == 0


async def test_answer_waits_for_a_blocking_command_before_it(proxy: FaultProxy, redis_client: "redis.Redis") -> None:
    """The error comes in its turn, after the reply of a command that was already outstanding when the fault was set."""
    async with raw(proxy) as (reader, writer):
        writer.write(b"*3\r\n$5\r\nBLPOP\r\n$1\r\nl\r\n$1\r\n0\r\n")
        await until(lambda: redis_client.info("clients")["blocked_clients"] == 1, "it reads")
        proxy.answer(LOADING, ["PING"])
        writer.write(b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n")
        redis_client.rpush("l", "v")
        expected = b"*2\r\n$1\r\nl\r\n$1\r\nv\r\n" + f"-{LOADING}\r\n".encode() + b"$1\r\nx\r\n"
        assert await reader.readexactly(len(expected)) == expected


async def test_commands_in_small_pieces(proxy: FaultProxy) -> None:
    """Where the network cuts a command does not matter."""
    proxy.answer("ERR no", ["GET"])
    async with raw(proxy) as (reader, writer):
        for byte in b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        expected = b"-ERR no\r\n$3\r\na\r\n\r\n"
        assert await reader.readexactly(len(expected)) == expected


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(FaultProxy.heal, id="none"),
        pytest.param(FaultProxy.stall, id="stall"),
        pytest.param(FaultProxy.half_open, id="half open"),
        pytest.param(FaultProxy.refuse, id="refuse"),
        pytest.param(lambda proxy: proxy.delay(TOO_LONG_S), id="delay"),
    ],
)
async def test_closing_leaves_nothing(redis_server: RedisServer, fault: Callable[[FaultProxy], None]) -> None:
    """Whatever is wrong and outstanding, closing the proxy ends its connections and tasks."""
    before = asyncio.all_tasks()
    for turns in range(6):
        async with FaultProxy(redis_server.port) as proxy, raw(proxy) as (_, old), raw(proxy):
            old.write(b"*3\r\n$5\r\nBLPOP\r\n$1\r\nl\r\n$1\r\n0\r\n*1\r\n$4\r\nPING\r\n")
            await until(lambda: proxy.connections == 2, "both are accepted")
            fault(proxy)
            with suppress(ConnectionRefusedError):
                async with raw(proxy) as (_, new):
                    new.write(b"*1\r\n$4\r\nPING\r\n")
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    await proxy.close()
    assert asyncio.all_tasks() == before


async def test_server_that_is_down_resets() -> None:
    """Before a server that is down connections are accepted and reset."""
    async with FaultProxy(free_port()) as proxy, raw(proxy) as (reader, _):
        with pytest.raises(ConnectionResetError):
            await reader.read()
