"""An ingress inside the test's own event loop: the real wiring and ports, without a process around it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from hookline_ingress.app import build_ingress
from hookline_ingress.settings import IngressSettings
from hookline_shared.clock import SystemClock
from hookline_shared.lifecycle.service import Supervisor
from tests.support.inbound.webhooks import PUBLIC_URL, TOKEN
from tests.support.ingress.ingress_client import IngressClient
from tests.support.observability.logbook import Logbook
from tests.support.servers.ports import LOOPBACK
from tests.support.waiting import until


@dataclass(frozen=True)
class LocalIngress:
    """A running ingress as a test sees it. `client` delivers webhooks, `admin` asks the admin port."""

    port: int
    client: IngressClient
    admin: IngressClient
    logbook: Logbook
    supervisor: Supervisor
    admin_port: int


def ingress_settings(redis_url: str) -> dict[str, str]:
    """Return the settings of an ingress for tests, as environment variables. Ports are chosen by the system."""
    return {
        "REDIS_URL": redis_url,
        "PUBLIC_URL": PUBLIC_URL,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "INGRESS_HOST": LOOPBACK,
        "INGRESS_PORT": "0",
        "INGRESS_ADMIN_PORT": "0",
        "INGRESS_SPOOL_PATH": "",  # tests of the spool name their own
        "INGRESS_SENDER_RATE": "0",  # and those of the limits theirs
        "INGRESS_WRITE_BUDGET_MS": "5000",  # a busy machine must not turn a 200 into a 503
    }


@asynccontextmanager
async def listening_ingress(settings: Mapping[str, object]) -> AsyncIterator[LocalIngress]:
    """Run an ingress whose ports are open; Redis may not have answered yet."""
    logbook = Logbook()
    supervisor = Supervisor(logbook.logger)
    ingress = build_ingress(IngressSettings.load(settings), SystemClock(), logbook.logger)
    stopping = AsyncExitStack()
    try:
        await ingress.start(supervisor, stopping)
        line = logbook.find("listening")
        assert line is not None
        async with aiohttp.ClientSession() as session:
            client, admin = (IngressClient(session, line[name]) for name in ("port", "admin_port"))
            yield LocalIngress(line["port"], client, admin, logbook, supervisor, line["admin_port"])
    finally:
        await stopping.aclose()
        await supervisor.close()


@asynccontextmanager
async def running_ingress(settings: Mapping[str, object]) -> AsyncIterator[LocalIngress]:
    """Run an ingress that is ready."""
    async with listening_ingress(settings) as ingress:
        await until(lambda: ingress.logbook.find("redis answers"), "ingress is ready")
        yield ingress
