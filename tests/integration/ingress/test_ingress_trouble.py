"""Ingress while Redis is away, stalled, full or of another layout, and while it is overloaded itself."""

import asyncio
from pathlib import Path

import pytest

from hookline_shared.errors import LayoutMismatchError
from hookline_shared.event import Event
from tests.support.inbound.kinds import message, message_status
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.ingress_client import Reply
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, listening_ingress, running_ingress
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored
from tests.support.waiting import until, until_answer

TWILIO = Twilio()
SHORT_BUDGET = {"INGRESS_WRITE_BUDGET_MS": "100"}


def assert_unavailable(reply: Reply) -> None:
    """A 503 without a word."""
    assert (reply.status, reply.body) == (503, b"")


async def accepted_again(ingress: LocalIngress, body: str) -> None:
    """Deliver one message until it is accepted."""
    webhook = TWILIO.webhook(message(Body=body))
    await until_answer(lambda: ingress.client.post(webhook), lambda reply: reply.status == 200, "it is accepted")


def stored_in(server: RedisServer) -> list[Event]:
    with server.client as client:
        return Stored(client).events()


async def readiness(ingress: LocalIngress) -> Reply:
    return await ingress.admin.request("GET", "/readyz?verbose", {})


async def test_without_redis_from_the_start() -> None:
    """Before Redis is there webhooks get a fast 503, live is live, ready is not ready and says why."""
    async with listening_ingress(ingress_settings(f"redis://{LOOPBACK}:{free_port()}")) as ingress:
        assert_unavailable(await ingress.client.post(TWILIO.webhook(message())))
        await until(lambda: ingress.logbook.find("redis unavailable"), "the trouble is known")
        reply = await readiness(ingress)
        assert reply.status == 503
        assert b"[-]redis failed: Redis cannot be reached" in reply.body
        assert b"REDIS_URL" in reply.body
        assert (await ingress.admin.request("GET", "/livez", {})).status == 200
        assert (await ingress.admin.request("GET", "/startupz", {})).status == 503


async def test_redis_that_comes_later(own_redis: RedisServer) -> None:
    """Ingress starts before Redis, and takes webhooks as soon as Redis is there."""
    own_redis.stop()
    async with listening_ingress(ingress_settings(own_redis.url)) as ingress:
        assert_unavailable(await ingress.client.post(TWILIO.webhook(message())))
        own_redis.start()
        await accepted_again(ingress, "at last")
        await until_answer(lambda: readiness(ingress), lambda reply: reply.status == 200, "it is ready")
    assert len(stored_in(own_redis)) == 1


async def test_killed_redis(own_redis: RedisServer) -> None:
    """While Redis is down nothing is acknowledged; afterwards it goes on, with everything acknowledged still there."""
    async with running_ingress(ingress_settings(own_redis.url)) as ingress:
        await accepted_again(ingress, "before")
        own_redis.kill()
        assert_unavailable(await ingress.client.post(TWILIO.webhook(message(Body="during"))))
        await until_answer(lambda: readiness(ingress), lambda reply: reply.status == 503, "the loss is noticed")
        own_redis.start()
        await accepted_again(ingress, "after")
        await until_answer(lambda: readiness(ingress), lambda reply: reply.status == 200, "it is ready again")
    bodies = [event.body for event in stored_in(own_redis)]
    assert [b"Body=before" in bodies[0], b"Body=after" in bodies[1], len(bodies)] == [True, True, 2]


async def test_stalled_redis_is_answered_for(own_redis: RedisServer) -> None:
    """While Redis stalls every webhook is answered all the same, once the write budget is spent: nobody waits for Redis."""
    async with running_ingress(ingress_settings(own_redis.url) | SHORT_BUDGET) as ingress:
        own_redis.pause()
        replies = await asyncio.gather(*(ingress.client.post(TWILIO.webhook(message())) for _ in range(20)))
        for reply in replies:
            assert_unavailable(reply)
        own_redis.resume()
        await accepted_again(ingress, "after")


async def test_ambiguous_write_is_one_event(own_redis: RedisServer) -> None:
    """A write that Redis got but confirmed too late is repeated by Twilio, and is one event all the same."""
    webhook = TWILIO.webhook(message())
    async with running_ingress(ingress_settings(own_redis.url) | SHORT_BUDGET) as ingress:
        own_redis.pause()
        for _ in range(3):
            assert_unavailable(await ingress.client.post(webhook))
        own_redis.resume()
        for _ in range(3):
            await until_answer(lambda: ingress.client.post(webhook), lambda reply: reply.status == 200, "it is accepted")
    assert len(stored_in(own_redis)) == 1


async def test_full_backlog(own_redis: RedisServer) -> None:
    """A full topic refuses at once, others go on, and with room again it takes what is delivered again."""
    settings = ingress_settings(own_redis.url) | {"INGRESS_BACKLOG_LIMIT": str(PARTITIONS)}
    webhooks = [TWILIO.webhook(message()) for _ in range(2)]
    async with running_ingress(settings) as ingress:
        assert (await ingress.client.post(webhooks[0])).status == 200
        assert_unavailable(await ingress.client.post(webhooks[1]))
        assert (await ingress.client.post(webhooks[0])).status == 200, "a duplicate needs no room"
        assert (await ingress.client.post(TWILIO.webhook(message_status()))).status == 204
        with own_redis.client as client:
            client.delete(*(keys.topic(partition, "messages") for partition in range(PARTITIONS)))
        assert (await ingress.client.post(webhooks[1])).status == 200


@pytest.mark.parametrize("setting", [("maxmemory", "1"), ("min-replicas-to-write", "1")])
async def test_redis_that_refuses_writes(own_redis: RedisServer, setting: tuple[str, str]) -> None:
    """A Redis without memory or replicas means 503 and not ready; it recovers by itself."""
    async with running_ingress(ingress_settings(own_redis.url)) as ingress:
        with own_redis.client as client:
            client.config_set(*setting)
            assert_unavailable(await ingress.client.post(TWILIO.webhook(message(Body="during"))))
            reply = await until_answer(lambda: readiness(ingress), lambda reply: reply.status == 503, "it is not ready")
            assert b"[-]redis failed: Redis refused the command" in reply.body
            client.config_set(setting[0], "0")
        await accepted_again(ingress, "after")
    assert len(stored_in(own_redis)) == 1


async def test_flushed_redis(own_redis: RedisServer) -> None:
    """FLUSHALL and SCRIPT FLUSH stop nothing."""
    async with running_ingress(ingress_settings(own_redis.url)) as ingress:
        assert (await ingress.client.post(TWILIO.webhook(message()))).status == 200
        with own_redis.client as client:
            client.flushall()
            client.execute_command("SCRIPT", "FLUSH")
        assert (await ingress.client.post(TWILIO.webhook(message()))).status == 200
    assert len(stored_in(own_redis)) == 1


async def test_other_layout_stops_the_service(own_redis: RedisServer) -> None:
    """Data laid out with other partitions is not written to: the service stops."""
    with own_redis.client as client:
        client.hset(keys.layout, mapping={"partitions": "16", "schema": "1"})
    async with listening_ingress(ingress_settings(own_redis.url)) as ingress:
        await ingress.supervisor.wait_failed()
        assert isinstance(ingress.supervisor.failure, LayoutMismatchError)
        assert_unavailable(await ingress.client.post(TWILIO.webhook(message())))
        reply = await ingress.admin.request("GET", "/livez", {})
        assert reply.status == 503
        assert b"HOOKLINE_PARTITIONS" in reply.body
    assert stored_in(own_redis) == []


async def test_too_many_requests_at_once(own_redis: RedisServer) -> None:
    """Above the limit of requests under way the answer is an immediate 503; those under way are answered."""
    async with running_ingress(ingress_settings(own_redis.url) | {"INGRESS_MAX_IN_FLIGHT": "3"}) as ingress:
        own_redis.pause()
        under_way = [asyncio.create_task(ingress.client.post(TWILIO.webhook(message()))) for _ in range(3)]
        await until_answer(lambda: unsigned_status(ingress), lambda status: status == 503, "three are under way")
        assert_unavailable(await ingress.client.post(TWILIO.webhook(message())))
        own_redis.resume()
        assert [(await reply).status for reply in under_way] == [200, 200, 200]
        assert await unsigned_status(ingress) == 403
        assert (await ingress.client.post(TWILIO.webhook(message()))).status == 200
    assert len(stored_in(own_redis)) == 4


async def unsigned_status(ingress: LocalIngress) -> int:
    """Return the status of a request that waits for nothing: 403, or 503 while there is no room for another one."""
    return (await ingress.client.post(TWILIO.webhook(message()).without_header("X-Twilio-Signature"))).status


async def test_batch_of_which_one_caller_left(own_redis: RedisServer) -> None:
    """A client that hangs up while its webhook is written costs the others of its batch nothing."""
    async with running_ingress(ingress_settings(own_redis.url)) as ingress:
        own_redis.pause()
        deliveries = [asyncio.create_task(ingress.client.post(TWILIO.webhook(message()))) for _ in range(10)]
        leaver = asyncio.create_task(ingress.client.post(TWILIO.webhook(message())))
        await asyncio.wait([leaver], timeout=0.05)
        leaver.cancel()
        own_redis.resume()
        replies = await asyncio.gather(*deliveries)
        assert {reply.status for reply in replies} == {200}
        assert (await ingress.client.post(TWILIO.webhook(message()))).status == 200


async def test_changed_password_is_told(own_redis: RedisServer, tmp_path: Path) -> None:
    """An ingress that Redis refuses since its password has changed stores webhooks in the spool, and says whose fault it is."""
    with own_redis.client as client:
        client.execute_command("ACL", "SETUSER", "ingress", "on", ">before", "~*", "&*", "+@all")
        url = own_redis.url.replace("redis://", "redis://ingress:before@", 1)
        settings = ingress_settings(url) | {"INGRESS_SPOOL_PATH": str(tmp_path / "spool.db")}
        async with running_ingress(settings) as ingress:
            client.execute_command("ACL", "SETUSER", "ingress", "resetpass", ">after")
            client.execute_command("CLIENT", "KILL", "USER", "ingress")
            await until_answer(
                lambda: readiness(ingress), lambda reply: b"refused the user or password" in reply.body, "it is told"
            )
            reply = await readiness(ingress)
            assert reply.status == 200
            assert b"Check the ones in REDIS_URL" in reply.body
            assert b"Webhooks go to the spool" in reply.body
            assert (await ingress.client.post(TWILIO.webhook(message()))).status == 200
            client.execute_command("ACL", "SETUSER", "ingress", "resetpass", ">before")
            await until(lambda: stored_in(own_redis), "it is in Redis once the password is right")
