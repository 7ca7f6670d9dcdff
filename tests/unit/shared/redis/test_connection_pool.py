"""The pool: bounded, fair, and never an answer for the wrong question."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from hookline_shared.redis.answer_limit import AnswerTooLargeError
from hookline_shared.redis.connector import connector
from hookline_shared.redis.options import RedisOptions
from hookline_shared.redis.pool import Pool, PoolExhaustedError
from tests.support.servers.scripted_redis import ScriptedRedis, bulk
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until

SIZE = 3
LONG_S = 20.0
MAX_AGE_S, IDLE_CHECK_S = 100.0, 10.0


class Gate:
    """An answer that a test holds back."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(self, words: list[str]) -> Any:
        await self.open.wait()
        return bulk(words[1])


@pytest.fixture
async def gate() -> Gate:
    return Gate()


@pytest.fixture
async def server(gate: Gate) -> AsyncIterator[ScriptedRedis]:
    script: dict[str, Any] = {
        "ECHO": lambda words: bulk(words[1]),
        "HOLD": gate,
        "REFUSE": ValueError("ERR no"),
        "CLIENT INFO": introduce,
    }
    async with ScriptedRedis(script) as server:
        yield server


@pytest.fixture
async def pool(server: ScriptedRedis, clock: ManualClock) -> AsyncIterator[Pool]:
    pool = made(server, clock)
    yield pool
    await pool.close()


def introduce(_words: list[str]) -> Any:
    return bulk("id=7 addr=127.0.0.1:1234 laddr=127.0.0.1:6379 name=hookline")


def made(server: ScriptedRedis, clock: ManualClock, name: str = "test", acquire_timeout_s: float = LONG_S) -> Pool:
    options = RedisOptions(url=server.url, acquire_timeout_s=acquire_timeout_s, max_age_s=MAX_AGE_S, idle_check_s=IDLE_CHECK_S)
    return Pool(name, connector(options.server.addresses[0], options), options.pool_limits(SIZE), clock)


async def echo(pool: Pool, text: str = "hello") -> Any:
    (answer,) = await pool.exchange([("ECHO", text)])
    return answer.decode()


async def hold(pool: Pool, text: str) -> Any:
    (answer,) = await pool.exchange([("HOLD", text)])
    return answer.decode()


async def holding(pool: Pool, number: int) -> list[asyncio.Task[Any]]:
    """Begin `number` calls that wait for the gate; returns once they are where they can get."""
    before = pool.in_use + pool.waiting
    tasks = [asyncio.create_task(hold(pool, str(at))) for at in range(number)]
    await until(lambda: pool.in_use + pool.waiting == before + number, "all are under way")
    return tasks


async def give_up(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_connection_is_used_again(pool: Pool, server: ScriptedRedis) -> None:
    """Calls one after the other need one connection."""
    assert [await echo(pool, str(at)) for at in range(5)] == ["0", "1", "2", "3", "4"]
    assert (server.accepted, pool.idle, pool.in_use) == (1, 1, 0)


async def test_bounded(pool: Pool, server: ScriptedRedis, gate: Gate) -> None:
    """There are never more connections than its size; who comes later waits, and is served in turn."""
    tasks = await holding(pool, SIZE + 4)
    assert (pool.in_use, pool.waiting, server.accepted) == (SIZE, 4, SIZE)
    gate.open.set()
    assert await asyncio.gather(*tasks) == [str(at) for at in range(SIZE + 4)]
    held = [words[1] for words in server.commands if words[0] == "HOLD"]
    assert held[SIZE:] == [str(at) for at in range(SIZE, SIZE + 4)]
    assert (pool.in_use, pool.waiting, server.accepted) == (0, 0, SIZE)


async def test_answer_that_would_fill_the_memory(pool: Pool, server: ScriptedRedis) -> None:
    """What is larger than any entry is not read to its end, whether it comes in one answer or in several to one call."""
    server.answers["HUGE"] = [bulk(b"x" * (16 << 20))] * 5
    server.answers["LARGE"] = bulk(b"x" * (16 << 20))
    for commands in ([("HUGE",)], [("LARGE",)] * 5):
        with pytest.raises(AnswerTooLargeError, match="more than 64 MiB"):
            await pool.exchange(commands)
    assert len(await pool.exchange([("LARGE",)] * 3)) == 3
    assert len(await pool.exchange([("LARGE",)] * 3)) == 3
    assert (server.accepted, pool.idle) == (3, 1)


async def test_waiting_has_an_end(server: ScriptedRedis, clock: ManualClock, gate: Gate) -> None:
    """Who waits in vain is told that all are busy, and how many that is."""
    pool = made(server, clock, acquire_timeout_s=0.01)
    tasks = await holding(pool, SIZE)
    with pytest.raises(PoolExhaustedError, match="All 3 connections for test were busy"):
        await echo(pool)
    gate.open.set()
    await asyncio.gather(*tasks)
    assert await echo(pool) == "hello"
    await pool.close()


async def test_cancelled_waiter_takes_no_turn(pool: Pool, gate: Gate) -> None:
    """A call that is given up while it waits leaves its place to the next."""
    tasks = await holding(pool, SIZE + 2)
    await give_up(tasks.pop(SIZE))
    gate.open.set()
    assert len(await asyncio.gather(*tasks)) == SIZE + 1
    assert await echo(pool) == "hello"


async def test_refusals_are_values_in_order(pool: Pool, server: ScriptedRedis) -> None:
    """Of several commands each has its own answer, also behind one that was refused; the connection stays in use."""
    first, refused, last = await pool.exchange([("ECHO", "a"), ("REFUSE",), ("ECHO", "b")])
    assert (first, last) == (b"a", b"b")
    assert isinstance(refused, ResponseError)
    assert await echo(pool) == "hello"
    assert server.accepted == 1


async def test_given_up_call_closes_its_connection(pool: Pool, server: ScriptedRedis, gate: Gate) -> None:
    """What comes later on that connection is nobody's answer; the next exchange has the server end it first."""
    (task,) = await holding(pool, 1)
    await until(lambda: server.commands[-1] == ["HOLD", "0"], "the command has arrived")
    await give_up(task)
    gate.open.set()
    assert await echo(pool, "mine") == "mine"
    assert server.commands[-2:] == [["CLIENT", "KILL", "ID", "7", "ADDR", "127.0.0.1:1234"], ["ECHO", "mine"]]
    assert await echo(pool, "mine too") == "mine too"
    assert server.commands[-2:] == [["ECHO", "mine"], ["ECHO", "mine too"]]


async def test_without_the_right_to_ask_nothing_is_ended(pool: Pool, server: ScriptedRedis) -> None:
    """A user who may not use CLIENT INFO can still use Redis."""
    server.answers["CLIENT INFO"] = ValueError("NOPERM this user has no permissions")
    (task,) = await holding(pool, 1)
    await until(lambda: server.commands[-1] == ["HOLD", "0"], "the command has arrived")
    await give_up(task)
    assert await echo(pool) == "hello"
    assert not [words for words in server.commands if words[:2] == ["CLIENT", "KILL"]]


async def test_connection_closed_while_idle_is_not_used(pool: Pool, server: ScriptedRedis, clock: ManualClock) -> None:
    """A server that closed idle connections costs no failed call."""
    await echo(pool)
    server.drop()
    other = made(server, clock)
    await echo(other)  # by now everybody has heard of it
    await other.close()
    assert await echo(pool) == "hello"
    assert server.accepted == 3


async def test_old_connections_are_replaced(pool: Pool, server: ScriptedRedis, clock: ManualClock) -> None:
    """At their age they are closed, whether somebody wants one or nobody does."""
    await echo(pool)
    await clock.advance(MAX_AGE_S - 1)
    await pool.check_idle()
    assert pool.idle == 1
    await clock.advance(1)
    assert await echo(pool) == "hello"
    assert server.accepted == 2
    await clock.advance(MAX_AGE_S)
    await pool.check_idle()
    assert pool.idle == 0


async def test_idle_connections_are_checked(pool: Pool, server: ScriptedRedis, clock: ManualClock) -> None:
    """Only those that have been idle for long are asked, and stay if they answer."""
    await echo(pool)
    await clock.advance(IDLE_CHECK_S - 1)
    await pool.check_idle()
    assert ["PING"] not in server.commands
    await clock.advance(1)
    await pool.check_idle()
    await pool.check_idle()
    assert server.commands.count(["PING"]) == 1
    assert (pool.idle, server.accepted) == (1, 1)


async def test_idle_connection_that_fails_its_check_is_closed(pool: Pool, server: ScriptedRedis, clock: ManualClock) -> None:
    """The next call gets a new one."""

    async def break_off(_words: list[str]) -> Any:
        server.drop()
        await asyncio.Event().wait()

    await echo(pool)
    server.answers["PING"] = break_off
    await clock.advance(IDLE_CHECK_S)
    await pool.check_idle()
    assert pool.idle == 0
    assert await echo(pool) == "hello"


async def test_failed_connecting_frees_the_turn(pool: Pool, server: ScriptedRedis) -> None:
    """However often connecting fails, all turns are there when the server is back."""
    server.answers["CLIENT SETNAME"] = ValueError("ERR max number of clients reached")
    for _ in range(2 * SIZE):
        with pytest.raises((RedisConnectionError, ResponseError)):
            await echo(pool)
    del server.answers["CLIENT SETNAME"]
    assert await asyncio.gather(*(echo(pool) for _ in range(SIZE))) == ["hello"] * SIZE


async def test_closing_fails_calls_under_way(pool: Pool, server: ScriptedRedis) -> None:
    """Nobody waits for ever for a pool that was closed, and it keeps nothing open."""
    tasks = await holding(pool, 2)
    await until(lambda: server.open == 2, "both are connected")
    await pool.close()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, RedisConnectionError) for outcome in outcomes)
    await until(lambda: server.open == 0, "all are closed")
    assert (pool.idle, pool.in_use) == (0, 0)


async def test_counters(server: ScriptedRedis, clock: ManualClock) -> None:
    """What was created, recycled and failed is counted."""
    pool = made(server, clock, name="counted")
    await echo(pool)
    await clock.advance(MAX_AGE_S)
    await echo(pool)
    (task,) = await holding(pool, 1)
    await give_up(task)
    found = {
        event: REGISTRY.get_sample_value("hookline_redis_connections_total", {"pool": "counted", "event": event})
        for event in ("created", "recycled", "failed")
    }
    assert found == {"created": 2, "recycled": 1, "failed": 1}
    await pool.close()


async def test_nobody_gets_the_answer_of_another(pool: Pool, gate: Gate) -> None:
    """Hundreds of calls, many given up at any moment: every answer belongs to its question, and all turns are free."""
    chance = random.Random(3)
    gate.open.set()

    async def ask(number: int) -> bool:
        question = str(number)
        try:
            async with asyncio.timeout(chance.choice((0, 0.001, 0.005, LONG_S, LONG_S))):
                answer = await chance.choice((echo, hold))(pool, question)
        except TimeoutError:
            return True
        return bool(answer == question)

    assert all(await asyncio.gather(*(ask(number) for number in range(500))))
    assert (pool.in_use, pool.waiting) == (0, 0)
    assert await asyncio.gather(*(echo(pool) for _ in range(SIZE))) == ["hello"] * SIZE
