"""The marks of appended events: they end when their windows do, cost little memory, and outlive clocks and upgrades."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
import redis

from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appended, Appender
from hookline_shared.topics import MESSAGES
from tests.support.processor.events import event, key_of
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS
from tests.support.waiting import until, until_answer

NEW, DUPLICATE = Appended.NEW, Appended.DUPLICATE
PARTITION = 2
WINDOW_S = 3600
DAY_MS = 86_400_000
MANY = 10_000


class Marks:
    """The marks of one partition, and events that are appended to it."""

    def __init__(self, broker: RedisConnectionManager, client: "redis.Redis") -> None:
        self._broker, self._client = broker, client

    async def append(self, *dedupe_keys: str, window_s: int = WINDOW_S) -> list[Any]:
        """Append events with these dedupe keys, as one batch; return the outcome of each."""
        appender = Appender(self._broker, PARTITIONS, dedupe_window_s=window_s, backlog_limit=1_000_000)
        return await appender.append([(MESSAGES, event(key, key=key_of(PARTITION))) for key in dedupe_keys], 30)

    @property
    def stored(self) -> dict[str, Any]:
        """What describes the generations."""
        found: Any = self._client.get(keys.marks(PARTITION))
        decoded: dict[str, Any] = msgspec.msgpack.decode(found)
        return decoded

    def store(self, **changes: Any) -> None:
        """Change what describes the generations."""
        self._client.set(keys.marks(PARTITION), msgspec.msgpack.encode(self.stored | changes))

    def shift(self, ms: int) -> None:
        """Move all times by so many milliseconds, as if the clock of the server had been ahead, or time had passed."""
        moved = [one | {"base": one["base"] + ms, "ends": one["ends"] + ms} for one in self.stored["generations"]]
        self.store(generations=moved)

    def buckets(self, generation: str = "*") -> list[str]:
        """Return the keys of the buckets."""
        found: list[Any] = self._client.keys(f"{keys.marks(PARTITION)}:{generation}:*")
        return [key.decode() for key in found]

    def fields(self) -> list[int]:
        """Return the number of marks in each bucket."""
        return [int(self._client.hlen(bucket)) for bucket in self.buckets()]

    def memory(self) -> int:
        """Return the bytes that the buckets take, with their keys."""
        return sum(int(self._client.execute_command("MEMORY", "USAGE", bucket)) for bucket in self.buckets())


@pytest.fixture
def marks(broker: RedisConnectionManager, redis_client: "redis.Redis") -> Marks:
    return Marks(broker, redis_client)


def numbered(name: str, number: int = MANY) -> list[str]:
    return [f"{name} {at}" for at in range(number)]


def generation(marks: Marks, at: int = -1) -> Mapping[str, int]:
    found: Mapping[str, int] = marks.stored["generations"][at]
    return found


async def test_each_mark_has_a_window_of_its_own(marks: Marks) -> None:
    """Of two marks in one generation, the one with the shorter window ends first; then it can be set again."""
    assert await marks.append("long") == [NEW]
    assert await marks.append("short", window_s=1) == [NEW]
    assert await marks.append("short", "long") == [DUPLICATE, DUPLICATE]
    await until_answer(lambda: marks.append("short", window_s=1), lambda results: results == [NEW], "its window is over")
    assert await marks.append("short", "long") == [DUPLICATE, DUPLICATE]
    assert len(marks.stored["generations"]) == 1


async def test_longer_window_is_whole(marks: Marks) -> None:
    """Whoever asks for a longer window than others begins a generation that lasts as long; earlier marks still count."""
    assert await marks.append("short", window_s=30) == [NEW]
    assert await marks.append("long") == [NEW]
    assert await marks.append("short", "long", window_s=30) == [DUPLICATE, DUPLICATE]
    assert [one["window"] for one in marks.stored["generations"]] == [30_000, WINDOW_S * 1000]


async def test_generations_follow_each_other(marks: Marks) -> None:
    """After a window, the next generation begins; the buckets of those before it vanish by themselves."""

    async def number() -> int:
        await marks.append(*numbered("other", 3), window_s=1)
        return generation(marks)["number"]

    assert await marks.append("first", window_s=1) == [NEW]
    assert marks.buckets("1")
    await until_answer(number, lambda found: found >= 4, "generations come")
    await until(lambda: not marks.buckets("1"), "the first one is gone")
    assert len(marks.stored["generations"]) <= 3


async def test_many_marks(marks: Marks) -> None:
    """However many marks a generation gets, its buckets stay small; they are found again, and take little memory."""
    for begin in range(0, MANY, 500):
        wanted = numbered("many")[begin : begin + 500]
        assert await marks.append(*wanted) == [NEW] * 500
    assert await marks.append(*numbered("many")) == [DUPLICATE] * MANY
    assert max(marks.fields()) < 512
    assert generation(marks)["bits"] > generation(marks, 0)["bits"]
    assert len(marks.stored["generations"]) < 8
    assert marks.memory() / MANY < 45 / 1.5  # a mark stays for one window and a half in the mean


async def test_next_generation_has_room_for_as_many(marks: Marks) -> None:
    """A generation begins with buckets for the marks of the one before, so that it need not grow."""
    await marks.append(*numbered("many"))
    await marks.append(*numbered("more", 2000))  # in another call, which sees that buckets are crowded
    marks.shift(-WINDOW_S * 1000)
    assert await marks.append("later") == [NEW]
    begun = generation(marks)
    assert MANY / 128 < 2 ** begun["bits"] < MANY / 8
    assert await marks.append("later") == [DUPLICATE]


async def test_crowded_generations_end_with_their_windows(marks: Marks) -> None:
    """Those that were too small are not looked into for longer than their marks count."""
    for begin in range(0, MANY, 500):
        await marks.append(*numbered("many")[begin : begin + 500])
    marks.shift(-WINDOW_S * 1000)
    await marks.append("later")
    assert len(marks.stored["generations"]) == 2


async def test_clock_that_is_set_back(marks: Marks) -> None:
    """Marks of a time to come count, but no longer than a window from now on."""
    assert await marks.append("of tomorrow") == [NEW]
    marks.shift(DAY_MS)
    assert await marks.append("of tomorrow", "of today") == [DUPLICATE, NEW]
    odd, newest = marks.stored["generations"]
    assert odd["ends"] <= newest["base"] + WINDOW_S * 1000
    assert await marks.append("of tomorrow", "of today") == [DUPLICATE, DUPLICATE]


async def test_clock_that_is_set_back_again_and_again(marks: Marks) -> None:
    """The number of generations stays bounded, and with it what a call costs."""
    for number in range(20):
        assert await marks.append(f"event {number}") == [NEW]
        marks.shift(DAY_MS)
    assert len(marks.stored["generations"]) <= 8
    assert await marks.append("event 19") == [DUPLICATE]


async def test_clock_that_is_set_forward(marks: Marks) -> None:
    """Windows end early, as the keys of Redis do."""
    assert await marks.append("event") == [NEW]
    marks.shift(-DAY_MS)
    assert await marks.append("event") == [NEW]


async def test_marks_of_an_older_version(marks: Marks, redis_client: "redis.Redis") -> None:
    """They count for one window after the first use of this version, and are set as well: an older version still runs."""
    redis_client.hset(keys.lease(PARTITION), "owner", "")
    redis_client.set(keys.seen(PARTITION, "old"), "0" * 32, px=60_000)
    assert await marks.append("old", "new") == [DUPLICATE, NEW]
    assert 0 < redis_client.pttl(keys.seen(PARTITION, "new")) <= WINDOW_S * 1000
    marks.store(old_since=marks.stored["old_since"] - WINDOW_S * 1000)
    assert await marks.append("newer", "old") == [NEW, NEW]
    assert not redis_client.exists(keys.seen(PARTITION, "newer"))


async def test_marks_of_an_older_version_after_a_call(marks: Marks, redis_client: "redis.Redis") -> None:
    """They count for the window of the event that comes, also if the first event after the upgrade had a shorter one."""
    redis_client.hset(keys.lease(PARTITION), "owner", "")
    redis_client.set(keys.seen(PARTITION, "message"), "0" * 32, px=WINDOW_S * 1000)
    assert await marks.append("call", window_s=30) == [NEW]
    marks.store(old_since=marks.stored["old_since"] - 40_000)  # time passes
    assert await marks.append("message", "another") == [DUPLICATE, NEW]
    assert redis_client.exists(keys.seen(PARTITION, "another"))


async def test_widest_generation_is_not_measured(marks: Marks, redis_client: "redis.Redis") -> None:
    """It cannot be followed by a wider one, so its buckets may be of any size: looking at them would take ever longer."""
    await marks.append("event")
    marks.store(generations=[marks.stored["generations"][0] | {"bits": 20}])
    redis_client.config_resetstat()
    assert await marks.append(*numbered("other", 2000)) == [NEW] * 2000
    assert "cmdstat_hvals" not in redis_client.info("commandstats")


async def test_new_installation_has_no_old_marks(marks: Marks, redis_client: "redis.Redis") -> None:
    """Nothing is written that only an older version would read."""
    assert await marks.append("event") == [NEW]
    assert not redis_client.exists(keys.seen(PARTITION, "event"))
    assert marks.stored["old_since"] == 0
