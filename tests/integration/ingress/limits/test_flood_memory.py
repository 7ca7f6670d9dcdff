"""What half-sent bodies take of ingress' memory, by which the limits in deploy/ are chosen."""

from contextlib import AsyncExitStack
from typing import Final

import aiohttp
import pytest

from bench.system.machine import window_mb
from hookline_ingress.routing.route_settings import LARGEST_JSON
from tests.support.faults.flood_memory import CONNECTION_KIB, OVERHEAD
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.ingress_client import raw_exchange, raw_request
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.ingress.wire import connected
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.waiting import until, until_answer

CONNECTIONS: Final = 64
LIMIT_MB: Final = 24
WIRES: Final = 96
HEADS: Final = 400
HEAD: Final = f"POST /twilio HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {LARGEST_JSON}\r\n\r\n"
BODIES_MB: Final = CONNECTIONS * (LARGEST_JSON - 1) / 1e6


async def test_half_sent_bodies_take_little_more_than_their_bytes(services: Services, redis_url: str) -> None:
    """Bodies of which the last byte is missing, with no signature, lie in memory, and nothing else grows with them."""
    service = await services.ingress(ingress_settings(redis_url) | {"INGRESS_READ_TIMEOUT_S": "60"}).start()
    if (before := window_mb(service.pid)) is None:
        pytest.skip("this system does not tell the memory of a process")
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS):
            wire = await stack.enter_async_context(connected(service.port))
            wire.send(HEAD.encode() + b"x" * (LARGEST_JSON - 1))
            stack.callback(wire.abort)
        await until(lambda: (window_mb(service.pid) or 0) - before > 0.95 * BODIES_MB, "the bodies are in its memory")
        peak = window_mb(service.pid, "VmHWM")
    assert peak is not None
    assert peak - before < OVERHEAD * BODIES_MB


@pytest.mark.parametrize("left_out", ["1", "0"], ids=["half", "whole"])
async def test_long_heads_take_no_more_than_they_are_counted_for(services: Services, redis_url: str, left_out: str) -> None:
    """The head of a request that waits for its body takes little more than its bytes; after the answer it takes nothing."""
    service = await services.ingress(ingress_settings(redis_url) | {"INGRESS_READ_TIMEOUT_S": "60"}).start()
    if (before := window_mb(service.pid)) is None:
        pytest.skip("this system does not tell the memory of a process")
    lines = "".join(f"X-{number}: {'v' * 590}\r\n" for number in range(100))
    sent = f"POST /twilio HTTP/1.1\r\nHost: h\r\n{lines}Content-Length: {left_out}\r\n\r\n".encode()
    async with AsyncExitStack() as stack:
        for _ in range(HEADS):
            wire = await stack.enter_async_context(connected(service.port))
            wire.send(sent)
            stack.callback(wire.abort)
            if left_out == "0":
                assert (await wire.answer()).status == 403
        expected = HEADS * (len(sent) + 100 * 102) * int(left_out)
        await until_answer(lambda: told(service, "/metrics"), lambda text: held_in(text) == expected, f"it holds {expected}")
        peak = window_mb(service.pid, "VmHWM")
    assert peak is not None
    assert peak - before < OVERHEAD * expected / 1e6 + HEADS * CONNECTION_KIB / 1000 + 6


def held_in(metrics: str) -> float:
    (line,) = [line for line in metrics.splitlines() if line.startswith("hookline_ingress_read_bytes ")]
    return float(line.partition(" ")[2])


async def told(service: ServiceProcess, path: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(service.admin_url + path) as answer:
        return await answer.text()


async def test_memory_of_a_flood(services: Services, redis_url: str) -> None:
    """Four times as many half bodies as fit take no more memory than is allowed, and webhooks are accepted all the while."""
    settings = {"INGRESS_READ_TIMEOUT_S": "60", "INGRESS_READ_MEMORY_MB": str(LIMIT_MB), "INGRESS_WRITE_BUDGET_MS": "5000"}
    service = await services.ingress(ingress_settings(redis_url) | settings).start()
    if (before := window_mb(service.pid)) is None:
        pytest.skip("this system does not tell the memory of a process")
    async with AsyncExitStack() as stack:
        for number in range(WIRES):
            wire = await stack.enter_async_context(connected(service.port))
            wire.send(HEAD.encode() + b"x" * (LARGEST_JSON - 1))
            stack.callback(wire.abort)
            if number % 16 == 0:
                webhook = Twilio().webhook(message(Body=f"number {number}"))
                assert (await raw_exchange(service.port, raw_request(webhook, service.port))).startswith(b"HTTP/1.1 200 ")
        refused = f'hookline_ingress_requests_total{{code="503",outcome="no_memory",route="none"}} {WIRES - LIMIT_MB + 1}.0'
        await until_answer(lambda: told(service, "/metrics"), lambda text: refused in text, f"it tells {refused}")
        assert "take more than INGRESS_READ_MEMORY_MB" in await told(service, "/readyz?verbose")
        assert service.find("requests are refused to limit memory")
        peak = window_mb(service.pid, "VmHWM")
    assert peak is not None
    assert peak - before < OVERHEAD * LIMIT_MB + 12
