"""Ingress with a spool while Redis is away: what Twilio is answered, what readiness says, and what is left in the end."""

import asyncio
import re
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs

import aiohttp
import pytest

from hookline_ingress.spool.spool import SpoolError
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio, Webhook
from tests.support.ingress.ingress_client import IngressClient
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, listening_ingress, running_ingress
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.stored import Stored
from tests.support.waiting import until, until_answer

TWILIO = Twilio()


def settings(server: RedisServer, folder: Path, **changes: str) -> dict[str, str]:
    """Return the settings of an ingress with a spool."""
    return ingress_settings(server.url) | {"INGRESS_SPOOL_PATH": str(folder / "spool.db")} | changes


def numbered(*numbers: int) -> list[Webhook]:
    """Return messages of one sender whose texts are `numbers`."""
    return [TWILIO.webhook(message(Body=str(number))) for number in numbers]


def texts_in(server: RedisServer) -> list[int]:
    """Return the texts of the messages in Redis, which are of one key, in their order."""
    with server.client as client:
        return [int(parse_qs(event.body.decode())["Body"][0]) for event in Stored(client).events()]


async def statuses(ingress: LocalIngress, *webhooks: Webhook) -> list[int]:
    """Deliver `webhooks` one after the other; return the answers."""
    return [(await ingress.client.post(webhook)).status for webhook in webhooks]


async def ask(ingress: LocalIngress, path: str) -> tuple[int, str]:
    reply = await ingress.admin.request("GET", path, {})
    return reply.status, reply.body.decode()


async def spool_empty(ingress: LocalIngress) -> str:
    """Wait until nothing is in the spool; return the metrics."""
    _, text = await until_answer(
        lambda: ask(ingress, "/metrics"), lambda answer: "hookline_spool_events 0.0" in answer[1], "the spool is empty"
    )
    return text


async def test_redis_away_is_no_trouble_for_twilio(own_redis: RedisServer, tmp_path: Path) -> None:
    """While Redis is away webhooks are accepted, readiness stays with a warning, and metrics tell; then all is in Redis."""
    async with running_ingress(settings(own_redis, tmp_path)) as ingress:
        assert await statuses(ingress, *numbered(1)) == [200]
        own_redis.kill()
        assert await statuses(ingress, *numbered(2, 3, 4)) == [200] * 3
        status, text = await until_answer(
            lambda: ask(ingress, "/readyz?verbose"), lambda answer: "cannot be reached" in answer[1], "the loss is noticed"
        )
        assert status == 200
        assert "[+]redis ok" in text
        assert "[!]spool warning: 3 events wait in the spool: Redis cannot be reached" in text
        _, metrics = await ask(ingress, "/metrics")
        assert "hookline_spool_events 3.0" in metrics
        assert "hookline_spool_bytes 0.0" not in metrics
        assert "hookline_spool_fill_ratio 0.0" not in metrics
        own_redis.start()
        assert 'outcome="spooled"' in await spool_empty(ingress)
        assert "[!]spool" not in (await ask(ingress, "/readyz?verbose"))[1]
        assert await statuses(ingress, *numbered(5)) == [200]
    assert texts_in(own_redis) == [1, 2, 3, 4, 5]


async def test_full_spool_is_told_before_and_refuses(own_redis: RedisServer, tmp_path: Path) -> None:
    """A spool that fills up warns; once full, webhooks get a 503 and ingress is not ready. Redis' return mends it all."""
    async with running_ingress(settings(own_redis, tmp_path, INGRESS_SPOOL_MAX_MB="1")) as ingress:
        own_redis.kill()
        large = [TWILIO.webhook(message(Body="7" * 30_000)) for _ in range(40)]
        answers: list[int] = []
        warned_at = 0
        while not answers or answers[-1] == 200:
            warned_at = warned_at or ("% full" in (await ask(ingress, "/readyz?verbose"))[1]) * len(answers)
            answers += await statuses(ingress, large[len(answers)])
        assert 20 < warned_at < len(answers) - 2
        assert answers[-1] == 503
        _, text = await until_answer(
            lambda: ask(ingress, "/readyz?verbose"), lambda answer: answer[0] == 503, "it is not ready"
        )
        assert "The spool accepts no more events: database or disk is full" in text
        assert re.search(r"^hookline_spool_fill_ratio (0\.9\d*|1\.0)$", (await ask(ingress, "/metrics"))[1], re.MULTILINE)
        own_redis.start()
        await spool_empty(ingress)
        await until_answer(
            lambda: ask(ingress, "/readyz?verbose"),
            lambda answer: answer[0] == 200 and "[!]spool" not in answer[1],
            "it is ready, and all is well",
        )
    with own_redis.client as client:
        assert len(Stored(client).events()) == answers.count(200)


async def test_spool_of_an_earlier_run_goes_first(own_redis: RedisServer, tmp_path: Path) -> None:
    """What an earlier run left in the spool is in Redis before newer events of the same conversation, whenever they come."""
    own_redis.stop()
    async with listening_ingress(settings(own_redis, tmp_path)) as ingress:
        assert await statuses(ingress, *numbered(*range(300))) == [200] * 300
        assert (await ask(ingress, "/readyz"))[0] == 503, "it has never seen its Redis"
    assert ingress.logbook.find("events stay in the spool")
    own_redis.start()
    async with listening_ingress(settings(own_redis, tmp_path)) as ingress:
        assert await statuses(ingress, *numbered(*range(300, 340))) == [200] * 40
        await spool_empty(ingress)
        assert await statuses(ingress, *numbered(340)) == [200]
    assert texts_in(own_redis) == list(range(341))


async def test_large_budget_leaves_time_for_the_disk(own_redis: RedisServer, tmp_path: Path) -> None:
    """However long Redis may take, an event that it did not confirm in that time is spooled, and acknowledged."""
    async with running_ingress(settings(own_redis, tmp_path, INGRESS_WRITE_BUDGET_MS="460")) as ingress:
        own_redis.pause()
        assert await statuses(ingress, *numbered(1)) == [200]
        own_redis.resume()
        await spool_empty(ingress)
    assert texts_in(own_redis) == [1]


async def test_unusable_spool_stops_the_start(own_redis: RedisServer, tmp_path: Path) -> None:
    """Two ingresses never share a spool: the second one says so, and does not listen."""
    async with running_ingress(settings(own_redis, tmp_path)):
        with pytest.raises(SpoolError, match=r"spool\.db cannot be used: another ingress uses it"):
            async with listening_ingress(settings(own_redis, tmp_path)):
                await asyncio.sleep(0)


async def keep_sending(sender: str, port: int, acknowledged: list[str]) -> None:
    """Deliver messages of `sender`, one after the other, until ingress is killed; notes those that it acknowledged."""
    async with aiohttp.ClientSession() as session:
        client = IngressClient(session, port)
        for text in map(str, count()):
            try:
                reply = await client.post(TWILIO.webhook(message(From=sender, Body=text)))
            except aiohttp.ClientError:
                return
            if reply.status == 200:
                acknowledged.append(text)


async def test_acknowledged_is_kept_whatever_dies(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """Redis stalls under load, ingress is killed, both return: what was acknowledged is in Redis, once, and in order."""
    ingress = await services.ingress(settings(own_redis, tmp_path, INGRESS_WRITE_BUDGET_MS="250")).start()
    acknowledged: dict[str, list[str]] = {f"+1415555{sender:04}": [] for sender in range(20)}
    senders = [asyncio.create_task(keep_sending(sender, ingress.port, texts)) for sender, texts in acknowledged.items()]
    await until(lambda: all(len(texts) >= 5 for texts in acknowledged.values()), "all have sent")
    own_redis.pause()
    goal = sum(map(len, acknowledged.values())) + 200
    await until(lambda: sum(map(len, acknowledged.values())) > goal, "the spool takes events")
    await ingress.kill()
    await asyncio.gather(*senders)
    own_redis.resume()
    await ingress.start()
    async with aiohttp.ClientSession() as session:
        admin = IngressClient(session, ingress.admin_port)
        await until_answer(
            lambda: admin.request("GET", "/metrics", {}),
            lambda reply: b"hookline_spool_events 0.0" in reply.body,
            "the spool is empty",
        )
    with own_redis.client as client:
        forms = [parse_qs(event.body.decode()) for event in Stored(client).events()]
    for sender, texts in acknowledged.items():
        stored = [form["Body"][0] for form in forms if form["From"] == [sender]]
        assert stored == sorted(set(stored), key=int)
        assert [text for text in stored if text in texts] == texts
