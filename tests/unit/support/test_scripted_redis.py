"""The server by which other tests say what Redis answers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.support.servers.ports import LOOPBACK
from tests.support.servers.scripted_redis import Answer, ScriptedRedis, bulk
from tests.support.waiting import until

Connect = Callable[[ScriptedRedis], "Redis"]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Yield a maker of clients, which never try anything twice."""
    made: list[Redis] = []

    def make(server: ScriptedRedis) -> "Redis":
        made.append(Redis.from_url(server.url, protocol=2, retry=Retry(NoBackoff(), 0)))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


async def ask(answers: Mapping[str, Answer], *words: str) -> object:
    """Return what a client is answered, or the error."""
    async with ScriptedRedis(answers) as server:
        client = Redis.from_url(server.url, protocol=2, retry=Retry(NoBackoff(), 0))
        try:
            return await client.execute_command(*words)
        except redis.RedisError as error:
            return error
        finally:
            await client.aclose()


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (b"$3\r\nraw\r\n", b"raw"),
        ("simple", b"simple"),
        (7, 7),
        (None, None),
        ([1, ["two", None, []], bulk("three\r\n"), bulk(b"\xff")], [1, [b"two", None, []], b"three\r\n", b"\xff"]),
        (lambda words: bulk(" ".join(words)), b"CUSTOM one two"),
        (len, 3),
    ],
)
async def test_answers(answer: Answer, seen: object) -> None:
    """Whatever the script gives, a client sees it as Redis would say it."""
    assert await ask({"CUSTOM": answer}, "CUSTOM", "one", "two") == seen


async def test_error_reply() -> None:
    """An exception is an error reply with its text."""
    error = await ask({"CUSTOM": ValueError("READONLY You can't write against a read only replica.")}, "CUSTOM")
    assert isinstance(error, redis.ReadOnlyError)


async def test_defaults() -> None:
    """PING is answered as usual, what the script does not know with OK."""
    assert await ask({}, "PING") is True
    assert await ask({}, "CUSTOM") == b"OK"
    assert await ask({"PING": "HELLO"}, "ECHO", "x") == b"OK"


async def test_two_words_go_before_one() -> None:
    """The longer name is the better one, in either case."""
    answers: dict[str, Answer] = {"CUSTOM": 1, "CUSTOM SUB": 2}
    assert await ask(answers, "custom", "sub", "x") == 2
    assert await ask(answers, "CUSTOM", "OTHER") == 1
    assert await ask(answers, "CUSTOM") == 1


async def test_records_commands(connect: Connect) -> None:
    """Commands are there with all their words, bytes that are no text included."""
    async with ScriptedRedis({}) as server:
        await connect(server).execute_command("CUSTOM", b"\xff", "é", 1)
        assert server.commands[-1] == ["CUSTOM", "\udcff", "é", "1"]


async def test_counts_connections(connect: Connect) -> None:
    """Connections are counted as long as they are open, and altogether."""
    async with ScriptedRedis({}) as server:
        first, second = connect(server), connect(server)
        await first.ping()
        await second.ping()
        assert (server.accepted, server.open) == (2, 2)
        await first.aclose()
        await until(lambda: server.open == 1, "the server knows that it was closed")
        assert server.accepted == 2


async def test_drop_closes_present_connections(connect: Connect) -> None:
    """Connections end, those with an answer outstanding too; new ones work."""
    async with ScriptedRedis({"HOLD": lambda _: asyncio.Event().wait()}) as server:
        client = connect(server)
        asking = asyncio.ensure_future(client.execute_command("HOLD"))
        await until(lambda: ["HOLD"] in server.commands, "it is asked")
        server.drop()
        assert server.open == 0
        with pytest.raises(redis.ConnectionError):
            await asking
        assert await connect(server).ping()
        assert (server.accepted, server.open) == (2, 1)


async def test_answer_that_is_held_back(connect: Connect) -> None:
    """An answer may wait for an event; commands behind it are received at once and answered after it."""
    let_go = asyncio.Event()

    async def hold(words: list[str]) -> bytes:
        await let_go.wait()
        return bulk(words[1])

    async with ScriptedRedis({"HOLD": hold}) as server:
        pipeline = connect(server).pipeline(transaction=False)
        pipeline.execute_command("HOLD", "me")
        pipeline.execute_command("CUSTOM")
        asking = asyncio.ensure_future(pipeline.execute())
        await until(lambda: ["CUSTOM"] in server.commands, "both commands are received")
        assert await connect(server).ping(), "other connections go on"
        assert not asking.done()
        let_go.set()
        assert await asking == [b"me", b"OK"]


async def test_client_that_gives_up_is_noticed(connect: Connect) -> None:
    """A connection that was closed with an answer outstanding is open no more."""
    async with ScriptedRedis({"HOLD": lambda _: asyncio.Event().wait()}) as server:
        asking = asyncio.ensure_future(connect(server).execute_command("HOLD"))
        await until(lambda: ["HOLD"] in server.commands, "it is asked")
        asking.cancel()
        await asyncio.wait([asking])
        await until(lambda: server.open == 0, "the server knows that it was closed")


async def test_script_may_change(connect: Connect) -> None:
    """An answer counts from the next command on."""
    async with ScriptedRedis({"CUSTOM": 1}) as server:
        client = connect(server)
        assert await client.execute_command("CUSTOM") == 1
        server.answers["CUSTOM"] = 2
        assert await client.execute_command("CUSTOM") == 2


async def test_mistake_in_the_script_is_told(connect: Connect) -> None:
    """A script that raises closes the connection, and fails the test in the end."""

    def broken(words: list[str]) -> int:
        return int(words[1])

    server = ScriptedRedis({"CUSTOM": broken})
    with pytest.raises(ExceptionGroup) as raised:  # noqa: PT012
        async with server:
            with pytest.raises(redis.ConnectionError):
                await connect(server).execute_command("CUSTOM", "x")
    assert raised.group_contains(ValueError)


async def test_closing_leaves_nothing() -> None:
    """Closing ends all connections and tasks, those that have only just been made too."""
    before = asyncio.all_tasks()
    for turns in range(6):
        async with ScriptedRedis({"HOLD": lambda _: asyncio.Event().wait()}) as server:
            _, writer = await asyncio.open_connection(LOOPBACK, server.port)
            writer.write(b"*1\r\n$4\r\nHOLD\r\n")
            for _ in range(turns):
                await asyncio.sleep(0)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    assert asyncio.all_tasks() == before
