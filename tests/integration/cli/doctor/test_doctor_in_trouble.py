"""What `hookline doctor` says of services in trouble, and of what stands between them and Twilio."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hookline_cli.doctor.checks.event import check_event
from hookline_cli.doctor.checks.ports import check_ports
from hookline_cli.doctor.checks.webhook import check_webhook
from hookline_cli.doctor.finding import Level
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, listening_ingress
from tests.support.processes.findings import subject, the_wrong, wrongs
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.waiting import until

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def stranded(tmp_path: Path) -> AsyncIterator[LocalIngress]:
    """Yield an ingress whose Redis is away."""
    settings = ingress_settings(f"redis://{LOOPBACK}:{free_port()}/0")
    async with listening_ingress(settings | {"INGRESS_SPOOL_PATH": str(tmp_path / "spool.db")}) as ingress:
        await until(lambda: ingress.logbook.find("redis unavailable"), "it has looked for Redis")
        yield ingress


def ports(ingress: LocalIngress | None = None, **settings: str) -> dict[str, int | str]:
    """Return the ports of `ingress`, or some on which nothing listens."""
    own = {"INGRESS_PORT": ingress.port, "INGRESS_ADMIN_PORT": ingress.admin_port} if ingress else {}
    free = {name: free_port() for name in ("INGRESS_PORT", "INGRESS_ADMIN_PORT", "PROCESSOR_ADMIN_PORT")}
    return {"INGRESS_HOST": LOOPBACK, "REDIS_URL": f"redis://{LOOPBACK}:{free_port()}/0", **free, **own, **settings}


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every address for one of another machine."""
    monkeypatch.setattr("hookline_cli.doctor.checks.webhook.is_loopback", lambda _: False)


@asynccontextmanager
async def proxy(answer: Answer) -> AsyncIterator[str]:
    """Run what stands in front of ingress; return its URL."""
    app = web.Application()
    app.router.add_post("/twilio", answer)
    async with TestServer(app) as server:
        yield f"http://{LOOPBACK}:{server.port}"


async def public_wrongs(url: str) -> list[tuple[Level, str]]:
    """Return what is wrong with `url`, beside that no ingress runs here."""
    found = await check_webhook(subject(ports(PUBLIC_URL=url), online=True))
    return [(level, text) for level, text in wrongs(found) if "is not running here" not in text]


async def test_service_that_is_not_ready(stranded: LocalIngress) -> None:
    """What a service itself says that it lacks is a problem."""
    level, found = the_wrong(await check_ports(subject(ports(stranded))))
    assert level is Level.PROBLEM
    assert found.startswith("ingress is not ready: redis: Redis cannot be reached")


async def test_event_whose_fate_is_not_known(stranded: LocalIngress) -> None:
    """An event that went to the spool was accepted, and nobody can see its outcome."""
    level, found = the_wrong(await check_event(subject(ports(stranded), send=True)))
    assert level is Level.WARNING
    assert found.startswith("the result for message SMd0c7")


@pytest.mark.usefixtures("elsewhere")
async def test_other_machines_are_asked_only_if_allowed() -> None:
    """Without --online nothing is sent to a public URL that is not of this machine."""
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.headers["X-Twilio-Signature"])
        return web.Response(status=204)

    async with proxy(answer) as url:
        await check_webhook(subject(ports(PUBLIC_URL=url)))
        assert asked == []
        assert await public_wrongs(url) == []
        assert len(asked) == 1


@pytest.mark.usefixtures("elsewhere")
async def test_proxy_that_refuses() -> None:
    """A 503 says that ingress cannot take it, which is a problem."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=503)

    async with proxy(answer) as url:
        ((level, found),) = await public_wrongs(url)
    assert level is Level.PROBLEM
    assert found.endswith("was answered with 503")


@pytest.mark.usefixtures("elsewhere")
async def test_proxy_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that takes long is a warning."""
    monkeypatch.setattr("hookline_cli.doctor.checks.webhook._SLOW_S", 0.0)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=204)

    async with proxy(answer) as url:
        ((level, found),) = await public_wrongs(url)
    assert level is Level.WARNING
    assert "s to answer" in found


@pytest.mark.usefixtures("elsewhere")
async def test_proxy_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes as long as Twilio waits lets webhooks get lost, which is a problem."""
    monkeypatch.setattr("hookline_cli.doctor.checks.webhook.TIMEOUT", aiohttp.ClientTimeout(total=0.2))

    async def answer(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async with proxy(answer) as url:
        ((level, found),) = await public_wrongs(url)
    assert level is Level.PROBLEM
    assert "did not answer within" in found
