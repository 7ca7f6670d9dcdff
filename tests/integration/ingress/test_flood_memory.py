"""What half-sent bodies take of ingress' memory, by which the limits in deploy/ are chosen."""

from contextlib import AsyncExitStack
from typing import Final

import pytest

from bench.system.machine import window_mb
from hookline_ingress.routes import LARGEST_JSON
from tests.support.faults.flood_memory import OVERHEAD
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.ingress.wire import connected
from tests.support.processes.services import Services
from tests.support.waiting import until

CONNECTIONS: Final = 64
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
