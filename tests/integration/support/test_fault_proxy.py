"""The proxy by which other tests break the network: each fault, as a client of a real Redis meets it."""

import asyncio
import time
from collections.abc import Callable

import pytest
import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.support.faults.fault_proxy import FaultProxy, raw
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until

DELAY_S = 0.05

TOO_LONG_S = 3600.0

SHORT_S = 0.02

Connect = Callable[[], "Redis"]


async def assert_silent(asked: "asyncio.Task[object]", others: "Redis | None" = None) -> None:
    """Nothing came for `asked`, in the time of some round trips on another connection if there is one, or else a moment."""
    if others is None:
        await asyncio.wait([asked], timeout=SHORT_S)
    else:
        for _ in range(10):
            await others.ping()
    assert not asked.done()


async def test_passes_everything_on(proxy: FaultProxy, client: "Redis") -> None:
    """Without a fault a client sees Redis as it is, whatever the size and kind of its replies."""
    value = bytes(range(256)) * 10_000
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.set("key", value)
        pipeline.rpush("list", "", "a\r\nb", "c")
        pipeline.get("key")
        pipeline.get("nothing")
        pipeline.lrange("list", 0, -1)
        pipeline.zrange("nothing", 0, -1)
        assert await pipeline.execute() == [True, 3, value, None, [b"", b"a\r\nb", b"c"], []]
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        await client.get("list")
    assert proxy.connections == 1


async def test_counts_connections(proxy: FaultProxy, client: "Redis", connect: Connect) -> None:
    """A connection counts from when it is open until its client closes it."""
    other = connect()
    await other.ping()
    assert proxy.connections == 2
    await other.aclose()
    await until(lambda: proxy.connections == 1, "the proxy knows that it was closed")
    await client.ping()


async def test_end_of_client_reaches_the_server(proxy: FaultProxy, client: "Redis", redis_client: "redis.Redis") -> None:
    """A client that goes away in a blocking read blocks nothing any more."""
    reading = asyncio.ensure_future(client.blpop(["list"], 0))
    await until(lambda: redis_client.info("clients")["blocked_clients"] == 1, "it reads")
    reading.cancel()
    await asyncio.wait([reading])
    await until(lambda: redis_client.info("clients")["blocked_clients"] == 0, "Redis knows that it is gone")
    assert proxy.connections == 0


async def test_end_of_server_reaches_the_client(own_redis: RedisServer) -> None:
    """A crash of the server ends the connection, new ones are reset, and after a restart all works."""
    async with (
        FaultProxy(own_redis.port) as proxy,
        Redis.from_url(proxy.url, protocol=2, retry=Retry(NoBackoff(), 0)) as client,
    ):
        await client.ping()
        own_redis.kill()
        with pytest.raises(redis.ConnectionError):
            await client.ping()
        with pytest.raises(redis.ConnectionError):
            await client.ping()
        own_redis.restart()
        assert await client.ping()


async def test_delay_holds_replies_back(proxy: FaultProxy, client: "Redis") -> None:
    """A reply comes that much later; after `heal` it does not."""
    proxy.delay(DELAY_S)
    started = time.monotonic()
    assert await client.echo("late") == b"late"
    assert time.monotonic() - started >= DELAY_S
    proxy.delay(TOO_LONG_S)
    asking = asyncio.ensure_future(client.echo("later"))
    await assert_silent(asking)
    proxy.heal()
    assert await asking == b"later"
    assert await client.echo("at once") == b"at once"


async def test_delays_do_not_add_up(proxy: FaultProxy, client: "Redis", redis_client: "redis.Redis") -> None:
    """Replies that come one after another are late by the same time each, and in order."""
    sent, delay_s = 20, 4 * DELAY_S
    proxy.delay(delay_s)
    async with raw(proxy) as (reader, writer):
        started = time.monotonic()
        for number in range(sent):
            writer.write(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n")
            await until(lambda: int(redis_client.get("n") or 0) == number + 1, "the command was executed")  # noqa: B023
        sending_s = time.monotonic() - started
        assert [await reader.readline() for _ in range(sent)] == [b":%d\r\n" % (number + 1) for number in range(sent)]
        assert time.monotonic() - started < sending_s + delay_s * sent / 2


async def test_shorter_delay_overtakes_nothing(proxy: FaultProxy, redis_client: "redis.Redis") -> None:
    """Replies keep their order when the delay changes."""
    async with raw(proxy) as (reader, writer):
        for number, delay_s in enumerate([TOO_LONG_S, DELAY_S], start=1):
            proxy.delay(delay_s)
            writer.write(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n")
            await until(lambda: int(redis_client.get("n") or 0) == number, "the command was executed")  # noqa: B023
            await until(lambda: relayed(proxy) == number, "its reply is at the proxy")  # noqa: B023
        assert [await reader.readline(), await reader.readline()] == [b":1\r\n", b":2\r\n"]


def relayed(proxy: FaultProxy) -> int:
    """How many pieces the only connection was given for its client."""
    (relay,) = proxy._relays.values()
    return relay._last


async def test_stall_holds_both_directions(
    proxy: FaultProxy, client: "Redis", connect: Connect, redis_client: "redis.Redis"
) -> None:
    """While it stalls nothing passes and connections are accepted; after `heal` all that was held is passed on."""
    reading = asyncio.ensure_future(client.blpop(["list"], 0))
    await until(lambda: redis_client.info("clients")["blocked_clients"] == 1, "it reads")
    proxy.stall()
    writing = asyncio.ensure_future(connect().set("key", "value"))
    await until(lambda: proxy.connections == 2, "the new connection is accepted")
    redis_client.rpush("list", "pushed")
    await assert_silent(reading)
    await assert_silent(writing)
    assert redis_client.get("key") is None
    proxy.heal()
    assert await reading == (b"list", b"pushed")
    assert await writing
    assert redis_client.get("key") == b"value"


async def test_stalled_command_of_a_client_that_gave_up_happens_later(proxy: FaultProxy, redis_client: "redis.Redis") -> None:
    """What a client sent before it gave up is still in the network, and arrives when that recovers."""
    proxy.stall()
    async with raw(proxy) as (_, writer):
        writer.write(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n")
        await until(lambda: proxy.connections == 1, "it is accepted")
    await until(lambda: proxy.connections == 0, "the proxy knows that the client is gone")
    assert redis_client.get("key") is None
    proxy.heal()
    await until(lambda: redis_client.get("key") == b"value", "the command has arrived")


async def test_cut_closes_present_connections_only(
    proxy: FaultProxy, client: "Redis", connect: Connect, redis_client: "redis.Redis"
) -> None:
    """Present connections are reset, whatever they wait for; a new one works at once."""
    async with raw(proxy) as (reader, _):
        await until(lambda: proxy.connections == 2, "it is accepted")
        reading = asyncio.ensure_future(client.blpop(["list"], 0))
        await until(lambda: redis_client.info("clients")["blocked_clients"] == 1, "it reads")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        with pytest.raises(redis.ConnectionError):
            await reading
        assert await connect().ping()


async def test_refuse_until_healed_on_the_same_port(proxy: FaultProxy, client: "Redis", connect: Connect) -> None:
    """Present connections are reset and new ones refused; then the port is the same as before."""
    port, url = proxy.port, proxy.url
    for _ in range(3):
        proxy.refuse()
        proxy.refuse()
        with pytest.raises(redis.ConnectionError):
            await client.ping()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, port)
        assert proxy.connections == 0
        proxy.heal()
        assert (proxy.port, proxy.url) == (port, url)
        client = connect()
        assert await client.ping()


async def test_half_open_connection_is_silent_for_ever(
    proxy: FaultProxy, client: "Redis", connect: Connect, redis_client: "redis.Redis"
) -> None:
    """On a half-open connection nothing arrives and nothing is closed, whatever else happens; a new one works."""
    proxy.half_open()
    writing = asyncio.ensure_future(client.set("key", "value"))
    other = connect()
    await assert_silent(writing, other)
    proxy.cut()
    proxy.heal()
    await assert_silent(writing, connect())
    assert redis_client.get("key") is None
    assert proxy.connections == 2, "the dead one and the newest"
    writing.cancel()
    await asyncio.wait([writing])


async def test_half_open_reader_goes_on_at_the_server(
    proxy: FaultProxy, client: "Redis", connect: Connect, redis_client: "redis.Redis"
) -> None:
    """Redis does not learn that a reader is dead, not even when it has gone: it is still given what it waited for."""
    reading = asyncio.ensure_future(client.blpop(["list"], 0))
    await until(lambda: redis_client.info("clients")["blocked_clients"] == 1, "it reads")
    proxy.half_open()
    reading.cancel()
    await asyncio.wait([reading])
    await until(lambda: proxy.connections == 0, "its client is gone")
    await connect().rpush("list", "pushed")
    assert redis_client.llen("list") == 0
