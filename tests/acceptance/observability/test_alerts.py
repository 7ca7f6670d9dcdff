"""Every alert, in a running pair: what it is about is made true, it fires; that is undone, it is resolved."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from hookline_cli.admin_address import AdminAddress
from hookline_cli.status.service_report import ask
from hookline_processor.ledger.database.engine import make_engine
from hookline_processor.ledger.database.migrate import migrate
from hookline_shared.alerts.rules import RULES
from hookline_shared.readers.published import encode
from hookline_shared.topics import DEFAULT_TOPICS
from tests.acceptance.support.alerting import (
    BOT,
    DISK,
    DISK_KIB,
    RUNBOOK,
    both_say,
    locked,
    logged_alerts,
    low_disk,
    raised,
    tables,
)
from tests.acceptance.support.pair import Pair, started_pair
from tests.support.faults.fault_proxy import FaultProxy
from tests.support.faults.small_disk import mount, unmount
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio
from tests.support.observability.alert_channel import PLANTED, AlertChannel
from tests.support.processes.services import Services
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.ledger import ledger_settings
from tests.support.storage.stored import PARTITIONS
from tests.support.waiting import until_answer

_NUMBER = count()
SURROUNDINGS = {
    "ingress": {"disk_low spool", "signatures_failing"},
    "processor": {
        "redis_at_risk eviction",
        "disk_low ledger",
        "dead_letters_growing",
        "handlers_failing message.received",
        "loop_lagging",
        "ledger_behind",
        "backlog_high messages",
        "backlog_growing messages",
        "oldest_event_old messages",
    },
}
SLOW_REDIS = {"ingress": {"reply_slow", "write_slow"}, "processor": {"pool_saturated commands"}}
REDIS_AWAY = {
    "ingress": {
        "spool_filling",
        "spool_refusing database or disk is full",
        "spool_waiting",
        "refusals_high",
        "breaker_open redis",
    },
    "processor": {"breaker_open redis"},
}
FLUSHED = {"processor": {"data_gone"}}
UNREAD = {"ingress": {"topic_unread old"}, "processor": {"topic_unread old"}}
UNOWNED = {"ingress": {"partitions_unowned", "partitions_differ ghost"}}
ABANDONED = {"ingress": {"processor_down"}}
"""What fires, of which service."""
OTHERS = {
    "partitions_unowned",
    "partitions_differ",
    "processor_down",
    "messages_held",
    "messages_in_doubt",
    "callers_fell_back",
}
"""Alerts with a test of their own."""


@pytest.fixture
async def channel() -> AsyncIterator[AlertChannel]:
    async with AlertChannel().opened() as channel:
        yield channel


@pytest.fixture
async def proxy(own_redis: RedisServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(own_redis.port) as proxy:
        yield proxy


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Yield the folder of spool and ledger: a disk of its own where one can be mounted, since others fill the usual one."""
    folder = tmp_path / DISK
    folder.mkdir()
    refused = mount(folder, DISK_KIB)
    yield folder
    if not refused:
        unmount(folder)


@pytest.fixture
async def pair(
    own_redis: RedisServer, services: Services, tmp_path: Path, disk: Path, proxy: FaultProxy, channel: AlertChannel
) -> AsyncIterator[Pair]:
    """Yield a pair with a spool of 1 MiB, a ledger, and one connection to Redis for commands; it looks ten times a second."""
    (tmp_path / "bot.py").write_text(BOT)
    (tmp_path / "hookline.toml").write_text(tables(disk))
    url = f"sqlite:///{disk}/ledger.db"
    engine = make_engine(ledger_settings(url))
    await migrate(engine)
    await engine.dispose()
    settings = {
        "HOOKLINE_CONFIG": str(tmp_path / "hookline.toml"),
        "ALERT_INTERVAL_S": "0.1",
        "ALERT_URL": channel.url,
        "RUNBOOK_URL": RUNBOOK,
        "HOOKLINE_LEDGER_URL": url,
        "DATABASE_CONNECT_TIMEOUT_S": "0.2",
        "INGRESS_BACKLOG_LIMIT": "1000",
        "INGRESS_SPOOL_MAX_MB": "1",
        "INGRESS_SPOOL_PATH": str(disk / "spool.db"),
        "INGRESS_WRITE_BUDGET_MS": "1000",
        "LEDGER_BACKLOG_LIMIT": "1000",
        "PROCESSOR_HANDLERS": "bot:handlers",
        "PROCESSOR_LEASE_S": "10",
        "PROCESSOR_MAX_ATTEMPTS": "1000",
        "PROCESSOR_BACKOFF_MAX_S": "0.2",
        "REDIS_POOL_SIZE": "1",
    }
    async with started_pair(own_redis, services, tmp_path, url=proxy.url, settings=settings) as pair:
        yield pair


async def send(pair: Pair, body: str, times: int = 1) -> int:
    """Deliver messages, each of another sender; return the last status."""
    status = 0
    for _ in range(times):
        webhook = Twilio().webhook(message(Body=body, From=f"+1415555{next(_NUMBER):04d}"))
        status = (await pair.client.post(webhook)).status
    return status


async def test_every_alert_fires_and_is_resolved(pair: Pair, proxy: FaultProxy, channel: AlertChannel, tmp_path: Path) -> None:
    """What one is about is made true and undone, again and again, and the services stay ready, but where Redis is away."""
    await handlers_and_surroundings(pair, tmp_path)
    await slow_redis(pair, proxy)
    await redis_away(pair, proxy)
    await redis_flushed(pair)
    await topic_unread(pair)
    seen = logged_alerts(pair.ingress, "alert resolved") | logged_alerts(pair.processor, "alert resolved")
    assert {name.partition(" ")[0] for name in seen} >= {*RULES} - OTHERS
    for service in (pair.ingress, pair.processor):
        await until_answer(partial(raised, service), lambda left: not left, "nothing fires any more")
        assert PLANTED not in service.errors
    assert {body["service"].partition(" ")[0] for body in channel.bodies} == {"ingress", "processor"}  # the first goes at once
    assert all(alert["runbook"] == RULES[alert["alert"]].runbook(RUNBOOK) for alert in channel.alerts)
    assert all(f"Runbook: <{RUNBOOK}#" in body["text"] for body in channel.bodies if "[firing" in body["text"])


async def handlers_and_surroundings(pair: Pair, folder: Path) -> None:
    """Handlers fail, reject, block and hang; a database is locked, a disk low, Redis set up badly, and signatures are wrong."""
    with low_disk(folder / DISK), locked(folder / DISK / "ledger.db"):
        pair.redis.config_set("maxmemory-policy", "allkeys-lru")
        for body, times in (("gate", 6), ("ok", 5), ("reject", 3), ("fail", 5), ("block", 1), ("gate", 10)):
            await send(pair, body, times)
        for _ in range(4):
            assert (await pair.client.post(Twilio("another-token-than-ours").webhook(message()))).status == 403
        await both_say(pair, "alert firing", SURROUNDINGS)
        await assert_shown(pair)
        pair.redis.config_set("maxmemory-policy", "noeviction")
    (folder / "go").touch()
    await both_say(pair, "alert resolved", SURROUNDINGS)


async def assert_shown(pair: Pair) -> None:
    """Check that readiness, status and metrics show it."""
    assert 'hookline_alert{level="critical",name="disk_low",subject="spool"} 1.0' in await pair.ingress.probe("metrics", 200)
    asking = partial(ask, AdminAddress("", LOOPBACK, pair.processor.admin_port))
    report = await until_answer(asking, lambda found: found.problems == [], "there are warnings only")
    disk = next(alert for alert in report.alerts if alert.name == "disk_low")
    assert (disk.subject, disk.level) == ("ledger", "critical")
    assert "Free up space on it" in disk.text
    assert disk.text.endswith(f"Runbook: {RUNBOOK}#disk-low")
    assert "[!]alert warning: disk_low ledger (critical) since " in await pair.processor.probe("readyz?verbose", 200)


async def slow_redis(pair: Pair, proxy: FaultProxy) -> None:
    """Answers of Redis take 300 ms, and there is one connection for all."""
    proxy.delay(0.3)
    sending = asyncio.create_task(send(pair, "ok", 10))
    await both_say(pair, "alert firing", SLOW_REDIS)
    proxy.heal()
    assert await sending == 200
    await both_say(pair, "alert resolved", SLOW_REDIS)


async def redis_away(pair: Pair, proxy: FaultProxy) -> None:
    """Redis refuses connections until the spool is full, and longer."""
    proxy.refuse()
    await until_answer(partial(fill_spool, pair), lambda full: full, "the spool is full")  # a slow disk is a 503 as well
    await both_say(pair, "alert firing", REDIS_AWAY)
    proxy.heal()
    await both_say(pair, "alert resolved", REDIS_AWAY)


async def fill_spool(pair: Pair) -> bool:
    """Deliver a large message; return whether the spool says that it is full."""
    await send(pair, "x" * 60_000)
    return (await pair.ingress.metrics())["hookline_spool_refusing"] == 1


async def redis_flushed(pair: Pair) -> None:
    """Everything in Redis is gone."""
    pair.redis.flushall()
    await both_say(pair, "alert firing", FLUSHED)
    await both_say(pair, "alert resolved", FLUSHED)


async def topic_unread(pair: Pair) -> None:
    """A topic that neither service has any more has an event."""
    pair.redis.hset(keys.topics, "old", 1)
    pair.redis.xadd(keys.topic(3, "old"), {"a": "b"})
    await both_say(pair, "alert firing", UNREAD)
    pair.redis.delete(keys.topic(3, "old"))
    await both_say(pair, "alert resolved", UNREAD)


async def test_ingress_tells_what_no_processor_can(pair: Pair) -> None:
    """The only processor dies, and one that owns nothing seems to be there; then none is; then all is well again."""
    await pair.processor.kill()
    published = encode(2 * PARTITIONS, 3600, DEFAULT_TOPICS, ["*"], [])
    pair.redis.set(keys.about("ghost"), published)
    pair.redis.zadd(keys.processors, {"ghost": pair.redis.time()[0] * 1000})
    await both_say(pair, "alert firing", UNOWNED)
    pair.redis.zrem(keys.processors, "ghost")
    await both_say(pair, "alert firing", ABANDONED)
    await both_say(pair, "alert resolved", UNOWNED)
    await pair.processor.start()
    await both_say(pair, "alert resolved", ABANDONED)

    async def left() -> list[str]:
        return [alert for alert in await raised(pair.ingress) if any(name in alert for name in OTHERS)]

    await until_answer(left, lambda alerts: not alerts, "none of them fires any more")
