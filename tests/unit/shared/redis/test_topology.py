"""Finding masters: the map of slots, and what Sentinels and nodes of a cluster are asked."""

from typing import Any

import pytest

from hookline_shared.clock import SystemClock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.redis.options import RedisOptions
from hookline_shared.redis.topology import Locator, SlotMap, SlotRange, locator, single_master
from hookline_shared.redis.url import Address
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.scripted_redis import ScriptedRedis, bulk
from tests.support.storage.keys import keys

HERE, THERE = Address("here", 1), Address("there", 2)
KEY = keys.retries(0)


def made(scheme: str, *ports: int, path: str = "") -> Locator:
    hosts = ",".join(f"{LOOPBACK}:{port}" for port in ports)
    return locator(RedisOptions(url=f"{scheme}://{hosts}{path}"), SystemClock())


def naming(port: int) -> dict[str, Any]:
    """The script of a Sentinel that names the master on `port`."""
    return {"SENTINEL": [bulk(LOOPBACK), bulk(str(port))]}


def slots(*rows: tuple[int, int, str, int]) -> dict[str, Any]:
    """The script of a node that knows these slots."""
    return {"CLUSTER": [[first, last, [bulk(host), port, bulk("id")]] for first, last, host, port in rows]}


async def refusal(found: Locator) -> str:
    with pytest.raises(BrokerUnavailableError) as caught:
        await found.locate()
    await found.close()
    return str(caught.value)


def test_slots_have_masters() -> None:
    """Each slot belongs to the range it is in, bounds included, and slots outside of all ranges to nobody."""
    found = SlotMap([SlotRange(866, 866, THERE), SlotRange(0, 865, HERE), SlotRange(12000, 16383, HERE)])
    assert found.master("hookline:layout") in (HERE, THERE, None)
    assert SlotMap([]).master(KEY) is None
    assert single_master(HERE).master(KEY) == HERE


def test_partition_alone_decides() -> None:
    """All keys of a partition have the same master, whatever else is in them."""
    halves = SlotMap([SlotRange(0, 8191, HERE), SlotRange(8192, 16383, THERE)])
    for partition in range(16):
        made_of_it = (
            keys.topic(partition, "messages"),
            keys.seen(partition, "a{b}c"),
            keys.dead(partition),
            keys.probe(partition),
        )
        assert len({halves.master(key) for key in made_of_it}) == 1


def test_correction_holds_for_its_slot() -> None:
    """What a node said of a slot counts before the map, and for that slot alone."""
    found = single_master(HERE)
    found.note(KEY, THERE)
    assert found.master(KEY) == THERE
    assert found.master(keys.retries(1)) == HERE


async def test_sentinel_names_the_master() -> None:
    """The first Sentinel that answers is believed, and asked first from then on."""
    async with ScriptedRedis(naming(7001)) as first, ScriptedRedis(naming(7001)) as second:
        found = made("redis+sentinel", free_port(), first.port, second.port, path="/mine")
        for _ in range(3):
            assert (await found.locate()).master(KEY) == Address(LOOPBACK, 7001)
        await found.close()
        assert [words for words in first.commands if words[0] == "SENTINEL"] == [
            ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mine"]
        ] * 3
        assert second.accepted == 0


async def test_next_sentinel_is_asked() -> None:
    """One that does not know the service, or fails, is passed over."""
    async with (
        ScriptedRedis({"SENTINEL": None}) as ignorant,
        ScriptedRedis({"SENTINEL": ValueError("IDONTKNOW")}) as failing,
        ScriptedRedis(naming(7002)) as knowing,
    ):
        found = made("redis+sentinel", ignorant.port, failing.port, knowing.port, path="/mine")
        assert (await found.locate()).master(KEY) == Address(LOOPBACK, 7002)
        await found.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "does not monitor a service 'mine'"),
        (ValueError("ERR unknown command 'SENTINEL'"), "is not a Sentinel, but a Redis server"),
        (ValueError("NOAUTH Authentication required."), "password"),
    ],
)
async def test_sentinels_that_do_not_help_are_explained(answer: Any, words: str) -> None:
    """The error names each Sentinel and what it said."""
    async with ScriptedRedis({"SENTINEL": answer}) as sentinel:
        said = await refusal(made("redis+sentinel", sentinel.port, path="/mine"))
        assert f"{LOOPBACK}:{sentinel.port}" in said
        assert words in said


async def test_cluster_tells_its_slots() -> None:
    """Slots go to the masters that a node names; one that does not know its own host is where it was asked."""
    async with ScriptedRedis(slots((0, 8191, "", 7001), (8192, 16383, "there", 2))) as node:
        found = await made_and_located("redis+cluster", node.port)
        masters = {found.master(keys.retries(partition)) for partition in range(16)}
        assert masters == {Address(LOOPBACK, 7001), THERE}


async def test_other_nodes_take_turns() -> None:
    """Another node is asked each time, so that one which was cut off from the rest is not believed for ever."""
    async with ScriptedRedis({}) as one, ScriptedRedis({}) as other:
        for node in (one, other):
            node.answers.update(slots((0, 8191, LOOPBACK, one.port), (8192, 16383, LOOPBACK, other.port)))
        found = made("redis+cluster", one.port)
        for _ in range(4):
            await found.locate()
        await found.close()
        assert [sum(words[:2] == ["CLUSTER", "SLOTS"] for words in node.commands) for node in (one, other)] == [2, 2]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ValueError("ERR This instance has cluster support disabled"), "begin REDIS_URL with redis://"),
        ([], "has the cluster been created"),
    ],
)
async def test_nodes_that_do_not_help_are_explained(answer: Any, words: str) -> None:
    """The error says what is wrong with REDIS_URL, or with the cluster."""
    async with ScriptedRedis({"CLUSTER": answer}) as node:
        assert words in await refusal(made("redis+cluster", node.port))


async def test_unreachable_nodes_are_named() -> None:
    """Where nobody listens, the addresses are reported."""
    port = free_port()
    assert f"{LOOPBACK}:{port}" in await refusal(made("redis+cluster", port))


async def made_and_located(scheme: str, *ports: int) -> SlotMap:
    found = made(scheme, *ports)
    try:
        return await found.locate()
    finally:
        await found.close()
