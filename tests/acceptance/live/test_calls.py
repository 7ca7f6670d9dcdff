"""Calls while the processors, ingresses, Redis and the app behind them are killed in turn.

HOOKLINE_CALLS_S is for how many seconds calls come in: `make calls` takes 60.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.support.inbound.webhooks import TOKEN
from tests.support.ingress.ingress_client import IngressClient
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.servers.caller import Caller
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.sample_app import SampleApp

CALLS_S = float(os.environ.get("HOOKLINE_CALLS_S", "0"))
PER_S = 20
LONGEST_S = 13.0
"""Twilio waits 15 s, its repeats included."""
AWAY_S = 3.0

pytestmark = [pytest.mark.skipif(CALLS_S == 0, reason="run make calls"), pytest.mark.timeout(0)]


@dataclass
class Stack:
    """All that is killed."""

    redis: RedisServer
    app: SampleApp
    ingresses: list[ServiceProcess]
    processors: list[ServiceProcess]
    clients: list[IngressClient]
    callers: list[Caller] = field(default_factory=list)


async def ivr(request: web.Request) -> web.StreamResponse:
    """Answer as an app with a menu."""
    digits = (await request.post()).get("Digits")
    text = f"<Say>you pressed {digits!s}</Say>" if digits else '<Gather action="menu"><Say>press a key</Say></Gather>'
    return web.Response(text=f"<Response>{text}</Response>", content_type="text/xml")


@pytest.fixture
async def stack(own_redis: RedisServer, services: Services, tmp_path: Path) -> AsyncIterator[Stack]:
    """Yield two ingresses and two processors in front of an app."""
    app = SampleApp(token=TOKEN, answer=ivr)
    await app.start()
    settings = ingress_settings(own_redis.url) | {"FORWARD_URL": f"http://127.0.0.1:{app.port}/voice", "PROCESSOR_LEASE_S": "2"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        ingresses = [
            await services.ingress(settings | {"INGRESS_SPOOL_PATH": str(tmp_path / f"spool{number}.db")}).start()
            for number in range(2)
        ]
        processors = [await services.processor(settings).start() for _ in range(2)]
        clients = [IngressClient(session, one.port) for one in ingresses]
        yield Stack(own_redis, app, ingresses, processors, clients)
    await app.stop()


async def call(stack: Stack, number: int) -> None:
    """Call, and go through the menu."""
    caller = Caller(stack.clients[number % 2 :] + stack.clients[: number % 2], pause_s=1.0)
    stack.callers.append(caller)
    await caller.call("/voice")
    await caller.press("1")


async def kill_in_turn(stack: Stack) -> None:
    """Kill one thing after the other, each back after some seconds."""

    async def restart(service: ServiceProcess) -> None:
        await service.kill()
        await asyncio.sleep(AWAY_S)
        await service.start()

    async def redis() -> None:
        stack.redis.kill()
        await asyncio.sleep(AWAY_S)
        await asyncio.to_thread(stack.redis.start)

    async def app() -> None:
        await stack.app.stop()
        await asyncio.sleep(AWAY_S)
        await stack.app.start()

    async def both_processors() -> None:
        await asyncio.gather(*map(restart, stack.processors))

    steps: list[Callable[[], Awaitable[None]]] = [
        lambda: restart(stack.processors[0]),
        lambda: restart(stack.ingresses[0]),
        redis,
        app,
        lambda: restart(stack.ingresses[1]),
        both_processors,
    ]
    while True:
        for step in steps:
            await asyncio.sleep(1)
            await step()


async def test_nobody_is_hung_up_on(stack: Stack) -> None:
    """Every request of Twilio gets TwiML in time, and every caller hears the menu and the answer in the end."""
    killing = asyncio.create_task(kill_in_turn(stack))
    calls = []
    for number in range(int(CALLS_S * PER_S)):
        calls.append(asyncio.create_task(call(stack, number)))
        await asyncio.sleep(1 / PER_S)
    killing.cancel()
    await asyncio.gather(killing, return_exceptions=True)
    for service in (*stack.ingresses, *stack.processors):
        if service.exit_code is not None:
            await service.start()
    if not stack.redis.running:
        stack.redis.start()
    await stack.app.stop()
    await stack.app.start()
    failures = [error for error in await asyncio.gather(*calls, return_exceptions=True) if error is not None]
    heard = [one.heard for one in stack.callers]
    slowest = max(max(one.seconds) for one in stack.callers)
    held = sum(one.holds > 0 for one in stack.callers)
    right = sum(texts == ["press a key", "you pressed 1"] for texts in heard)
    print(f"\n{len(heard)} calls, {right} heard the menu and the answer, {held} were held, slowest request {slowest:.1f} s")
    assert failures == []
    assert right == len(heard)
    assert slowest < LONGEST_S
