"""Ingress as a process: how it starts, says what is wrong, and stops."""

import asyncio
import os
import signal
import socket
from contextlib import AsyncExitStack

import aiohttp
import pytest

from hookline_ingress.app import build_ingress
from hookline_ingress.settings import IngressSettings
from hookline_shared.clock import SystemClock
from hookline_shared.lifecycle.service import EXIT_FAILED, EXIT_OK, EXIT_SETTINGS, Supervisor
from tests.support.inbound.kinds import RECIPIENT, SENDER, message
from tests.support.inbound.webhooks import TOKEN, Twilio
from tests.support.ingress.ingress_client import IngressClient
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.observability.logbook import Logbook
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.stored import Stored
from tests.support.waiting import until_answer

TWILIO = Twilio()


async def delivered(service: ServiceProcess, body: str = "hello") -> int:
    """Deliver a message; return the status."""
    async with aiohttp.ClientSession() as session:
        return (await IngressClient(session, service.port).post(TWILIO.webhook(message(Body=body)))).status


async def test_life_of_a_process(services: Services, redis_url: str, stored: Stored) -> None:
    """It becomes ready, accepts, and on SIGTERM ends with 0; no line shows a secret, a number or a body."""
    service = await services.ingress(ingress_settings(redis_url)).start()
    assert await delivered(service, "a private word") == 200
    assert await service.stop() == EXIT_OK
    assert len(stored.events()) == 1
    assert [line["event"] for line in service.logs][-2:] == ["stopping", "stopped"]
    assert len(service.logs) == len(service.stderr)
    assert service.stdout == []
    for private in (TOKEN, SENDER, RECIPIENT, SENDER.removeprefix("+"), "a private word"):
        assert private not in service.errors


async def test_restart_keeps_its_ports(services: Services, redis_url: str, stored: Stored) -> None:
    """A restarted ingress listens where it did, and knows what was accepted before."""
    service = await services.ingress(ingress_settings(redis_url)).start()
    webhook = TWILIO.webhook(message())
    async with aiohttp.ClientSession() as session:
        client, before = IngressClient(session, service.port), (service.port, service.admin_port)
        assert (await client.post(webhook)).status == 200
        await service.restart()
        assert (service.port, service.admin_port) == before
        assert (await client.post(webhook)).status == 200
    assert len(stored.events()) == 1


async def test_requests_under_way_are_answered_on_sigterm(services: Services, own_redis: RedisServer) -> None:
    """SIGTERM lets the requests under way finish: they are answered, and what was acknowledged is in Redis."""
    settings = ingress_settings(own_redis.url) | {
        "INGRESS_WRITE_BUDGET_MS": "20000",
        "INGRESS_SHUTDOWN_S": "20",
        "INGRESS_MAX_IN_FLIGHT": "5",
    }
    service = await services.ingress(settings).start()
    async with aiohttp.ClientSession() as session:
        client = IngressClient(session, service.port)
        own_redis.pause()
        under_way = [asyncio.create_task(client.post(TWILIO.webhook(message()))) for _ in range(5)]
        unsigned = TWILIO.webhook(message()).without_header("X-Twilio-Signature")  # 403, or 503 if there is no room for it
        await until_answer(lambda: client.post(unsigned), lambda reply: reply.status == 503, "all are under way")
        service.terminate()
        text = await service.probe("readyz", 503)
        assert "[-]shutdown failed: shutting down" in text
        own_redis.resume()
        assert [(await reply).status for reply in under_way] == [200] * 5
    assert await service.ended() == EXIT_OK
    with own_redis.client as client_of_redis:
        assert len(Stored(client_of_redis).events()) == 5


async def test_shutdown_is_bounded(services: Services, redis_url: str) -> None:
    """A client that never finishes its request does not keep the service from stopping."""
    service = await services.ingress(ingress_settings(redis_url) | {"INGRESS_SHUTDOWN_S": "0.1"}).start()
    _, writer = await asyncio.open_connection(LOOPBACK, service.port)
    writer.write(
        b"POST /twilio HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\nA="
    )
    await writer.drain()
    assert await service.stop() == EXIT_OK
    writer.close()


async def test_missing_settings_are_all_named(services: Services) -> None:
    """Without its settings it does not start: one message names all that is missing or wrong, and nothing else is printed."""
    settings = {"INGRESS_PORT": "http", "REDIS_URL": "redis.example.com"}
    service = await services.ingress(settings).launch()
    assert await service.ended() == EXIT_SETTINGS
    assert service.stderr[0] == "ingress: 4 settings to fix before this can start:"
    assert [line.split()[1] for line in service.stderr[1:]] == ["REDIS_URL", "PUBLIC_URL", "TWILIO_AUTH_TOKEN", "INGRESS_PORT"]
    assert service.stdout == []


@pytest.mark.parametrize("setting", ["INGRESS_PORT", "INGRESS_ADMIN_PORT"])
async def test_taken_port_names_the_setting(services: Services, redis_url: str, setting: str) -> None:
    """A port that another program has ends it with one clear line, and no traceback."""
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        service = await services.ingress(ingress_settings(redis_url) | {setting: str(port)}).launch()
        assert await service.ended() == EXIT_FAILED
    assert_one_clear_line(service, f"Port {port} on {LOOPBACK} is in use", setting)


@pytest.mark.parametrize(("setting", "host"), [("INGRESS_HOST", "192.0.2.1"), ("INGRESS_ADMIN_HOST", "192.0.2.1")])
async def test_unusable_address_names_the_setting(services: Services, redis_url: str, setting: str, host: str) -> None:
    """An address that this machine does not have ends it with one clear line, and no traceback."""
    service = await services.ingress(ingress_settings(redis_url) | {setting: host}).launch()
    assert await service.ended() == EXIT_FAILED
    assert_one_clear_line(service, host, setting)


async def test_other_layout_names_the_setting(services: Services, redis_url: str) -> None:
    """Started with other partitions than the data has, it ends with one clear line."""
    await (await services.ingress(ingress_settings(redis_url)).start()).stop()
    service = await services.ingress(ingress_settings(redis_url) | {"HOOKLINE_PARTITIONS": "4"}).launch()
    assert await service.ended() == EXIT_FAILED
    assert_one_clear_line(service, "partitions=8", "HOOKLINE_PARTITIONS")


@pytest.mark.parametrize("url", ["redis://127.0.0.1:port", "redis://127.0.0.1/0?nonsense=1"])
async def test_unusable_redis_url_names_the_setting(services: Services, url: str) -> None:
    """A REDIS_URL that cannot be right ends it before it starts, with one clear line, and no traceback."""
    service = await services.ingress(ingress_settings(url)).launch()
    assert await service.ended() == EXIT_SETTINGS
    assert "REDIS_URL" in service.errors
    assert "Traceback" not in service.errors


def assert_one_clear_line(service: ServiceProcess, *parts: str) -> None:
    """The last line explains the exit, and nowhere is a traceback."""
    assert "Traceback" not in service.errors
    assert len(service.logs) == len(service.stderr), service.errors
    assert service.logs[-1]["level"] == "error"
    for part in parts:
        assert part in service.logs[-1]["error"]


async def test_wrong_redis_password_is_told_by_readiness(services: Services) -> None:
    """With a wrong password it stays up, is not ready, says why without the password, and is ready once Redis takes it."""
    with RedisServer({"requirepass": "right"}) as server:
        service = await services.ingress(ingress_settings(server.url.replace(":right@", ":wr0ng-pass@"))).listen()
        await service.logged("redis unavailable")
        text = await service.probe("readyz", 503)
        assert "[-]redis failed: Redis refused the user or password" in text
        assert "REDIS_URL" in text
        assert await service.probe("livez", 200) == "ok\n"
        assert await delivered(service) == 503
        with server.client as client:
            client.config_set("requirepass", "wr0ng-pass")
        await service.probe("readyz", 200)
        assert await delivered(service) == 200
    assert "wr0ng-pass" not in service.errors + text


async def test_paused_process_goes_on(services: Services, redis_url: str) -> None:
    """A process that was stopped for a while, as a busy host does, answers what came meanwhile."""
    service = await services.ingress(ingress_settings(redis_url)).start()
    service.pause()
    delivering = asyncio.create_task(delivered(service))
    await asyncio.wait([delivering], timeout=0.05)
    assert not delivering.done()
    service.resume()
    assert await delivering == 200


async def test_killed_process_is_reported(services: Services, redis_url: str) -> None:
    """The support for tests notices how a process ended, and leaves none behind."""
    service = await services.ingress(ingress_settings(redis_url)).start()
    assert await service.kill() == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(service.pid, 0)


async def test_ready_once_webhooks_are_received(redis_url: str) -> None:
    """An ingress whose port is not open yet is not ready, whatever else works: no traffic may be sent there."""
    ingress = build_ingress(IngressSettings.load(ingress_settings(redis_url)), SystemClock(), Logbook().logger)
    supervisor, stopping = Supervisor(Logbook().logger), AsyncExitStack()
    assert ingress.server.check_listening() == "the port for webhooks is not open yet"
    try:
        await ingress.start(supervisor, stopping)
        assert ingress.health.ready["port"]() is None
    finally:
        await stopping.aclose()
        await supervisor.close()
