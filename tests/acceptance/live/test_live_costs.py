"""What live routes cost: what Hookline adds to an answer, and what callers who wait take.

`make live-costs` prints the figures; without it, this is skipped.
"""

import asyncio
import os
from pathlib import Path
from statistics import median, quantiles

import aiohttp
import pytest

from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.ingress_client import IngressClient
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.servers.caller import Caller
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until_answer

pytestmark = [pytest.mark.skipif("HOOKLINE_LIVE_COSTS" not in os.environ, reason="run make live-costs"), pytest.mark.timeout(0)]

HANDLERS = """
from hookline import CallReceived, Context, Handlers
handlers = Handlers()

@handlers.on(CallReceived)
async def menu(event: CallReceived, context: Context) -> str:
    return "<Response><Say>hello</Say></Response>"
"""
CONFIG = '[[routes]]\npath = "/voice"\nlive = true\n'
PER_S = int(os.environ.get("HOOKLINE_CALLS_PER_S", "200"))
SECONDS = 20
CALLERS = 2000


def percentile(values: list[float], share: int) -> float:
    return quantiles(values, n=100)[share - 1]


async def settings_of(redis: RedisServer, folder: Path) -> dict[str, str]:
    (folder / "menu.py").write_text(HANDLERS)
    (folder / "hookline.toml").write_text(CONFIG)
    return ingress_settings(redis.url) | {
        "HOOKLINE_CONFIG": str(folder / "hookline.toml"),
        "PROCESSOR_HANDLERS": "menu:handlers",
        "INGRESS_LIVE_WAIT_S": "10",
    }


def resident_mb(service: ServiceProcess) -> float:
    pages = int(Path(f"/proc/{service.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def messages_at(client: IngressClient, per_s: int, seconds: float) -> list[float]:
    """Send messages to a route that is not live; return the response times in seconds."""
    times: list[float] = []

    async def send(number: int) -> None:
        started = asyncio.get_running_loop().time()
        await client.post(Twilio().webhook(message(MessageSid=f"SM{number:032x}")))
        times.append(asyncio.get_running_loop().time() - started)

    sending = []
    for number in range(int(per_s * seconds)):
        sending.append(asyncio.create_task(send(number)))
        await asyncio.sleep(1 / per_s)
    await asyncio.gather(*sending)
    return times


async def test_what_hookline_adds(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """At 200 calls/s, with a handler that does nothing."""
    settings = await settings_of(own_redis, tmp_path)
    ingress, _ = await services.ingress(settings).start(), await services.processor(settings).start()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        client = IngressClient(session, ingress.port)
        calls = []
        for _ in range(PER_S * SECONDS):
            caller = Caller([client])
            calls.append((caller, asyncio.create_task(caller.call("/voice"))))
            await asyncio.sleep(1 / PER_S)
        await asyncio.gather(*(task for _, task in calls))
    times = [caller.seconds[0] * 1000 for caller, _ in calls]
    print(f"\n{PER_S} calls/s: p50 {median(times):.1f} ms, p99 {percentile(times, 99):.1f} ms, of {len(times)}")
    assert all(caller.heard == ["hello"] and caller.holds == 0 for caller, _ in calls)


async def test_callers_who_wait(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """2 000 at once, without a processor: their memory, and the response times of another route."""
    settings = await settings_of(own_redis, tmp_path)
    ingress = await services.ingress(settings).start()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        client = IngressClient(session, ingress.port)
        await messages_at(client, 100, 3)
        alone, before = await messages_at(client, 100, 5), resident_mb(ingress)
        waiting = [asyncio.create_task(Caller([client]).request("/voice")) for _ in range(CALLERS)]
        await until_answer(ingress.metrics, lambda found: found["hookline_live_waiting"] >= CALLERS, "all wait")
        meanwhile, after = await messages_at(client, 100, 4), resident_mb(ingress)
        replies = await asyncio.gather(*waiting)
    print(
        f"\n{CALLERS} callers who wait: {after - before:.0f} MB; p99 of another route "
        f"{percentile(alone, 99) * 1000:.1f} ms alone, {percentile(meanwhile, 99) * 1000:.1f} ms meanwhile"
    )
    assert all(b"<Redirect" in reply.body for reply in replies)
    assert after - before < 100
