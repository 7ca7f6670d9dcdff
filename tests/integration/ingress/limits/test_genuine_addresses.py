"""Genuine addresses in Redis, and a flood from the address of Twilio at real ingress processes."""

import pytest

from hookline_ingress.limits.addresses import AddressLimit
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.limits.genuine_addresses import Noted, SharedAddresses
from tests.integration.conftest import Connect
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.local_ingress import ingress_settings, running_ingress
from tests.support.servers.cluster_set import ClusterSet
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until_answer

TWILIO = Twilio()
FLOODED = {"INGRESS_ADDRESS_RATE": "0.1", "INGRESS_ADDRESS_BURST": "5"}


async def exchange(shared: SharedAddresses, since_ms: int, *digests: str) -> Noted:
    answer = await shared.exchange(since_ms, digests)
    assert isinstance(answer, Noted), answer
    return answer


async def test_addresses_are_learnt_once(broker: RedisConnectionManager, redis_server: RedisServer) -> None:
    """Each call learns what came since the one before; the first one, and one from the future, learns all."""
    shared = SharedAddresses(broker, 600.0, 4096)
    first = await exchange(shared, 0, "a")
    assert first.digests == ["a"]
    second = await exchange(shared, first.now_ms + 1, "b", "c")
    assert "a" not in second.digests or second.now_ms == first.now_ms
    assert {*(await exchange(shared, 0)).digests} == {"a", "b", "c"}
    assert {*(await exchange(shared, second.now_ms + 10**9)).digests} == {"a", "b", "c"}
    with redis_server.client as client:
        assert 0 < client.pttl("hookline:genuine") <= 600_000


async def test_addresses_are_few_and_expire(broker: RedisConnectionManager, redis_server: RedisServer) -> None:
    """The newest are kept, as many as there may be; the oldest, and those from the future, do not stay for ever."""
    shared = SharedAddresses(broker, 600.0, 3)
    with redis_server.client as client:
        client.zadd("hookline:genuine", {"ancient": 1, "future": 10**15})
        assert [*(await exchange(shared, 0)).digests] == ["future"]
        assert client.zscore("hookline:genuine", "future") < 10**14
        for number in range(10):
            await exchange(shared, 0, f"address {number}")
        assert client.zcard("hookline:genuine") == 3
        assert client.zscore("hookline:genuine", "address 9") is not None


async def test_addresses_in_a_cluster(connect: Connect, cluster_set: ClusterSet) -> None:
    """The key has one slot, wherever that is."""
    connection = connect(cluster_set.url)
    await connection.monitor.refresh()
    assert (await exchange(SharedAddresses(connection, 600.0, 10), 0, "a")).digests == ["a"]


@pytest.mark.parametrize("signature", [None, "A" * 28], ids=["unsigned", "forged"])
async def test_flood_from_twilios_address_locks_nobody_out(redis_url: str, signature: str | None) -> None:
    """Whatever comes from the same address, also before the first genuine webhook and after a restart, Twilio is let in."""
    webhook = TWILIO.webhook(message())
    forged = (
        webhook.without_header("X-Twilio-Signature")
        if signature is None
        else webhook.with_header("X-Twilio-Signature", signature)
    )
    for _ in range(2):
        async with running_ingress(ingress_settings(redis_url) | FLOODED) as ingress:
            for _ in range(100):
                assert (await ingress.client.post(forged)).status == 403
            for _ in range(20):
                assert (await ingress.client.post(TWILIO.webhook(message()))).status == 200
                assert (await ingress.client.post(forged)).status == 403


async def test_replay_makes_no_address_genuine(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A captured webhook that is sent again verifies, but is a duplicate: it exempts nobody. The first one does."""
    accepted: list[str] = []
    monkeypatch.setattr(AddressLimit, "accepted", lambda _self, address: accepted.append(address))
    webhook = TWILIO.webhook(message())
    async with running_ingress(ingress_settings(redis_url)) as ingress:
        for _ in range(3):
            assert (await ingress.client.post(webhook)).status == 200
            assert accepted == [LOOPBACK]
        forged = webhook.with_header("X-Twilio-Signature", "A" * 28)
        assert (await ingress.client.post(forged)).status == 403
    assert accepted == [LOOPBACK]


async def test_other_processes_learn_that_an_address_is_genuine(redis_url: str, redis_server: RedisServer) -> None:
    """What one ingress verified stands in Redis, as a hash, soon after."""
    async with running_ingress(ingress_settings(redis_url)) as ingress:
        assert (await ingress.client.post(TWILIO.webhook(message()))).status == 200
        with redis_server.client as client:

            async def noted() -> list[bytes]:
                return list(client.zrange("hookline:genuine", 0, -1))

            (digest,) = await until_answer(noted, bool, "the address is noted")
    assert len(digest) == 32
