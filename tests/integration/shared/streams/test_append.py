"""Appending events: each at most once within the window, all of a batch in one step."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
import redis

from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import BODY_FIELD, TEXT_FIELDS, decode
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appended, Appender
from hookline_shared.topics import MESSAGES, STATUSES
from tests.integration.conftest import Connect
from tests.support.processor.events import event, key_of
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored
from tests.support.waiting import until_answer

NEW, DUPLICATE, FULL = Appended.NEW, Appended.DUPLICATE, Appended.FULL
TIMEOUT_S = 10.0
USER, PASSWORD = "ingress", "s3cr3t"


def appender_on(broker: RedisConnectionManager, window_s: int = 3600, limit: int = 8000) -> Appender:
    return Appender(broker, PARTITIONS, dedupe_window_s=window_s, backlog_limit=limit)


async def refusal(appender: Appender) -> str:
    """Append an event, which Redis must refuse; return why."""
    (result,) = await appender.append([(MESSAGES, event("same"))], TIMEOUT_S)
    assert isinstance(result, BrokerUnavailableError)
    return str(result)


@pytest.fixture
def appender(broker: RedisConnectionManager) -> Appender:
    return appender_on(broker)


async def test_event_lies_in_its_stream_with_every_field(appender: Appender, stored: Stored) -> None:
    """An event is one entry of its partition's and topic's stream, with all its fields in the documented order."""
    one = event(key=key_of(3), body=b"\x00\xff raw & bytes")
    assert await appender.append([(MESSAGES, one)], TIMEOUT_S) == [NEW]
    ((_, fields),) = stored.entries(3, MESSAGES)
    assert [name.decode() for name in fields[::2]] == [*TEXT_FIELDS, BODY_FIELD]
    assert decode(fields) == one
    assert stored.events() == [one]


async def test_batch_is_spread_over_its_partitions(appender: Appender, stored: Stored) -> None:
    """Every event of a batch is where its key and topic say, in the order in which it came."""
    batch = [
        (topic, event(key=key_of(partition)))
        for _ in range(3)
        for partition in range(PARTITIONS)
        for topic in (MESSAGES, STATUSES)
    ]
    assert await appender.append(batch, TIMEOUT_S) == [NEW] * len(batch)
    for partition in range(PARTITIONS):
        for topic in (MESSAGES, STATUSES):
            expected = [one for name, one in batch if name == topic and partition_of(one.key, PARTITIONS) == partition]
            assert [decode(fields) for _, fields in stored.entries(partition, topic)] == expected


async def test_duplicate_is_dropped(appender: Appender, stored: Stored) -> None:
    """A second event with the dedupe key of an earlier one is dropped."""
    first, second = event("same"), event("same")
    assert await appender.append([(MESSAGES, first)], TIMEOUT_S) == [NEW]
    assert await appender.append([(MESSAGES, second)], TIMEOUT_S) == [DUPLICATE]
    assert stored.events() == [first]


async def test_same_event_twice_in_a_batch(appender: Appender, stored: Stored) -> None:
    """A duplicate is recognised even if it is written in the same call."""
    first, second, other = event("same"), event("same"), event("other")
    results = await appender.append([(MESSAGES, first), (MESSAGES, second), (MESSAGES, other)], TIMEOUT_S)
    assert results == [NEW, DUPLICATE, NEW]
    assert stored.events() == [first, other]


async def test_repeated_call_appends_nothing(appender: Appender, stored: Stored) -> None:
    """A call whose answer was lost may be made again: nothing is written twice, and what was missing is added."""
    batch = [(MESSAGES, event()) for _ in range(5)]
    assert await appender.append(batch[:3], TIMEOUT_S) == [NEW] * 3
    assert await appender.append(batch, TIMEOUT_S) == [DUPLICATE] * 3 + [NEW] * 2
    assert len(stored.events()) == 5


async def test_duplicates_that_race_are_one_event(appender: Appender, stored: Stored) -> None:
    """Of many deliveries at once, over many connections, exactly one is new."""
    deliveries = [appender.append([(MESSAGES, event("same"))], TIMEOUT_S) for _ in range(40)]
    results = [result for (result,) in await asyncio.gather(*deliveries)]
    assert sorted(map(str, results)) == sorted(map(str, [DUPLICATE] * 39 + [NEW]))
    assert len(stored.events()) == 1


async def test_window_expires(broker: RedisConnectionManager, stored: Stored) -> None:
    """After the window the same dedupe key is a new event."""
    appender = appender_on(broker, window_s=1)
    assert await appender.append([(MESSAGES, event("same"))], TIMEOUT_S) == [NEW]
    await until_answer(
        lambda: appender.append([(MESSAGES, event("same"))], TIMEOUT_S), lambda results: results == [NEW], "it is new again"
    )
    assert len(stored.events()) == 2


async def test_full_backlog_refuses(broker: RedisConnectionManager, stored: Stored, redis_client: "redis.Redis") -> None:
    """A full stream takes nothing more; the refused event may be offered again, and is taken once there is room."""
    appender = appender_on(broker, limit=2 * PARTITIONS)
    batch = [(MESSAGES, event(key=key_of(1))) for _ in range(3)]
    assert await appender.append(batch, TIMEOUT_S) == [NEW, NEW, FULL]
    assert await appender.append(batch, TIMEOUT_S) == [DUPLICATE, DUPLICATE, FULL]
    redis_client.execute_command("XDEL", keys.topic(1, MESSAGES), stored.entries(1, MESSAGES)[0][0])
    assert await appender.append(batch, TIMEOUT_S) == [DUPLICATE, DUPLICATE, NEW]


async def test_full_topic_leaves_others_open(broker: RedisConnectionManager) -> None:
    """A backlog of one topic or partition does not close another one."""
    appender = appender_on(broker, limit=PARTITIONS)
    batch = [
        (topic, event(key=key_of(partition)))
        for topic, partition in ((MESSAGES, 1), (MESSAGES, 1), (STATUSES, 1), (MESSAGES, 2))
    ]
    assert await appender.append(batch, TIMEOUT_S) == [NEW, FULL, NEW, NEW]


async def test_limit_is_divided_upwards(broker: RedisConnectionManager) -> None:
    """Every partition takes at least one event, however low the limit is."""
    appender = appender_on(broker, limit=1)
    assert await appender.append([(MESSAGES, event(key=key_of(5)))], TIMEOUT_S) == [NEW]


async def test_script_that_redis_forgot_is_sent_again(appender: Appender, redis_client: "redis.Redis") -> None:
    """A restarted or flushed server does not know the script any more; nobody notices."""
    assert await appender.append([(MESSAGES, event())], TIMEOUT_S) == [NEW]
    redis_client.execute_command("SCRIPT", "FLUSH")
    assert await appender.append([(MESSAGES, event())], TIMEOUT_S) == [NEW]


async def test_large_batch(appender: Appender, stored: Stored) -> None:
    """A batch of the largest size, with bodies of the largest size, is written whole."""
    batch = [(MESSAGES, event(key=key_of(number % PARTITIONS), body=b"x" * 65536)) for number in range(256)]
    assert await appender.append(batch, 30) == [NEW] * 256
    assert len(stored.events()) == 256


async def test_failed_append_leaves_no_trace(appender: Appender, stored: Stored, redis_client: "redis.Redis") -> None:
    """If an event cannot be appended it is not taken for seen, else its next delivery would be acknowledged and lost."""
    stream = keys.topic(partition_of(event().key, PARTITIONS), MESSAGES)
    redis_client.set(stream, "not a stream")
    assert "WRONGTYPE" in await refusal(appender)
    redis_client.delete(stream)
    assert await appender.append([(MESSAGES, event("same"))], TIMEOUT_S) == [NEW]
    assert len(stored.events()) == 1


@pytest.fixture
def acl_server() -> Iterator[RedisServer]:
    """Yield a server with a user whose permissions the test sets."""
    with RedisServer() as server:
        yield server


class Permissions:
    """What the Redis user of ingress may do on a server of its own. Commands are separated by spaces."""

    def __init__(self, server: RedisServer, client: "redis.Redis") -> None:
        self.url = server.url.replace("redis://", f"redis://{USER}:{PASSWORD}@")
        self._client = client
        client.execute_command("ACL", "SETUSER", USER, "on", f">{PASSWORD}", "~*", "+@all")

    def deny(self, commands: str) -> None:
        self._client.execute_command("ACL", "SETUSER", USER, *(f"-{command}" for command in commands.split()))

    def allow_all(self) -> None:
        self._client.execute_command("ACL", "SETUSER", USER, "+@all")


@pytest.mark.parametrize("denied", ["xadd", "xlen", "set", "hset", "xadd del", "xlen del"])
async def test_missing_permission_loses_nothing(acl_server: RedisServer, connect: Connect, denied: str) -> None:
    """Where the Redis user may not do all that it takes, nothing counts as seen: delivered again, the event is new."""
    with acl_server.client as client:
        permissions = Permissions(acl_server, client)
        appender = appender_on(connect(permissions.url))
        permissions.deny(denied)
        assert await refusal(appender)
        permissions.allow_all()
        assert await appender.append([(MESSAGES, event("same"))], TIMEOUT_S) == [NEW]
        assert len(Stored(client).events()) == 1


async def test_missing_permission_at_a_full_backlog_loses_nothing(acl_server: RedisServer, connect: Connect) -> None:
    """An event that found no room is new once there is room, even if the Redis user may delete nothing."""
    first, second = event(key=key_of(1)), event(key=key_of(1))
    with acl_server.client as client:
        permissions = Permissions(acl_server, client)
        appender = appender_on(connect(permissions.url), limit=PARTITIONS)
        assert await appender.append([(MESSAGES, first)], TIMEOUT_S) == [NEW]
        permissions.deny("del")
        with suppress(BrokerUnavailableError):
            assert await appender.append([(MESSAGES, second)], TIMEOUT_S) == [FULL]
        client.delete(keys.topic(1, MESSAGES))
        assert await appender.append([(MESSAGES, second)], TIMEOUT_S) == [NEW]


async def test_full_memory_refuses_without_a_trace(acl_server: RedisServer, connect: Connect) -> None:
    """A server without memory refuses; with memory again, the same delivery is a new event."""
    appender = appender_on(connect(acl_server.url))
    with acl_server.client as client:
        client.execute_command("CONFIG", "SET", "maxmemory", "1")
        assert "maxmemory" in await refusal(appender)
        client.execute_command("CONFIG", "SET", "maxmemory", "0")
        assert await appender.append([(MESSAGES, event("same"))], TIMEOUT_S) == [NEW]
