"""Ingress accepts events that nobody reads, and tells, without any processor that could."""

from hookline_shared.readers.published import encode
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.ownership.lease import LeaseRequest, Leases
from hookline_shared.topics import DEFAULT_TOPICS
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.storage.stored import PARTITIONS
from tests.support.waiting import until_answer

LEASE_S = 60
ALERTS = {name: {"for_s": 0} for name in ("processor_down", "partitions_unowned", "partitions_differ", "topic_unread")}


async def ask(ingress: LocalIngress) -> str:
    return (await ingress.admin.request("GET", "/readyz?verbose", {})).body.decode()


async def ready(ingress: LocalIngress, words: str) -> str:
    """Wait until /readyz?verbose has `words`; return it."""
    return await until_answer(lambda: ask(ingress), lambda text: words in text, f"it says: {words}")


async def test_everything_that_nobody_reads_is_told(broker: RedisConnectionManager, redis_url: str) -> None:
    """No processor; then one that owns some partitions, counts others, and does not know a topic; then all is well."""
    settings = {**ingress_settings(redis_url), "TOPICS": {"vip": {"weight": 8}}, "ALERTS": ALERTS, "ALERT_INTERVAL_S": "0.1"}
    async with running_ingress(settings) as ingress:
        await ready(ingress, "[!]alert warning: processor_down (critical)")
        text = await ready(ingress, "[!]readers warning: No processor is running.")
        assert "[+]redis ok" in text
        owner = Leases(broker, "a", LEASE_S, 5, encode(16, LEASE_S, DEFAULT_TOPICS, ["*"], []))
        await owner.heartbeat()
        await owner.ask(dict.fromkeys(range(5), (LeaseRequest.ACQUIRE, 0)))
        text = await ready(ingress, "[!]readers warning: Nobody reads topic vip in partitions 0-4.")
        assert "[!]alert warning: topic_unread vip (critical)" in text
        assert "[!]alert warning: partitions_unowned (critical)" in text
        assert "[!]alert warning: partitions_differ a (critical)" in text
        assert "[!]alert warning: processor_down" not in text
        assert "[!]readers warning: No processor owns partitions 5-7." in text
        other = Leases(broker, "a", LEASE_S, 5, encode(PARTITIONS, LEASE_S, [*DEFAULT_TOPICS, "vip"], ["*"], []))
        await other.heartbeat()
        await other.ask(dict.fromkeys(range(PARTITIONS), (LeaseRequest.ACQUIRE, 0)))
        await until_answer(
            lambda: ask(ingress), lambda text: "[!]alert" not in text and "[!]readers" not in text, "all is well"
        )
