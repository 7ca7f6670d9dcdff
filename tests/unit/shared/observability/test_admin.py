"""The admin port."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import ANY

import aiohttp
import pytest

from hookline_shared.errors import PortTakenError
from hookline_shared.observability.admin import Admin, is_private_name
from hookline_shared.observability.health import Health
from tests.support.servers.ports import LOOPBACK

TOKEN = "0123456789abcdef+/="


class Probes:
    """Asks the admin port for a probe; `problem` is what the one check of readiness says."""

    def __init__(self, session: aiohttp.ClientSession, health: Health) -> None:
        self._session = session
        self.health = health
        self.problem: str | None = None
        self.backlog: dict[str, object] | str = {"events": 3}
        health.live["tasks"] = lambda: None
        health.ready["redis"] = lambda: self.problem
        health.ready["shutdown"] = lambda: None

    async def get(self, path: str, host: str = LOOPBACK, authorization: str = "") -> tuple[int, str]:
        headers = {"Host": host} | ({"Authorization": authorization} if authorization else {})
        async with self._session.get(path, headers=headers) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def answering_probes(token: str | None = None) -> AsyncIterator[Probes]:
    health = Health()
    asked: list[Probes] = []
    admin = Admin(health, LOOPBACK, 0, "INGRESS_ADMIN_PORT", {"/backlog": lambda: asked[0].backlog}, token)
    port = await admin.start()
    async with aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as session:
        asked.append(Probes(session, health))
        yield asked[0]
    await admin.stop()


@pytest.fixture
async def probes() -> AsyncIterator[Probes]:
    async with answering_probes() as probes:
        yield probes


@pytest.fixture
async def guarded() -> AsyncIterator[Probes]:
    """Yield probes of a port with a token."""
    async with answering_probes(TOKEN) as probes:
        yield probes


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz"])
async def test_all_is_well(probes: Probes, path: str) -> None:
    """A probe that passes says ok and nothing else."""
    assert await probes.get(path) == (200, "ok\n")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/livez", "[+]tasks ok\nlivez check passed\n"),
        ("/readyz", "[+]redis ok\n[+]shutdown ok\nreadyz check passed\n"),
        ("/startupz", "[+]started ok\nstartupz check passed\n"),
    ],
)
async def test_verbose_names_every_check(probes: Probes, path: str, text: str) -> None:
    """?verbose lists the checks in Kubernetes' style."""
    assert await probes.get(f"{path}?verbose") == (200, text)


@pytest.mark.parametrize("path", ["/readyz", "/readyz?verbose"])
async def test_failed_check_says_why(probes: Probes, path: str) -> None:
    """A probe that fails answers 503, with the reason and with the checks that passed."""
    probes.problem = "Redis cannot be reached"
    text = "[-]redis failed: Redis cannot be reached\n[+]shutdown ok\nreadyz check failed\n"
    assert await probes.get(path) == (503, text)
    assert await probes.get("/livez") == (200, "ok\n")


async def test_warnings_fail_nothing(probes: Probes) -> None:
    """What could go wrong one day is told to whoever asks for more, and keeps nobody away."""
    probes.health.warnings["redis"] = lambda: ["appendonly is off. Set appendonly yes."]
    assert await probes.get("/readyz") == (200, "ok\n")
    warning = "[!]redis warning: appendonly is off. Set appendonly yes.\n"
    assert await probes.get("/readyz?verbose") == (200, f"[+]redis ok\n[+]shutdown ok\n{warning}readyz check passed\n")


async def test_recovery(probes: Probes) -> None:
    """A probe passes again as soon as its checks do."""
    probes.problem = "gone"
    assert (await probes.get("/readyz"))[0] == 503
    probes.problem = None
    assert (await probes.get("/readyz"))[0] == 200


async def test_started_once_is_started_for_ever(probes: Probes) -> None:
    """The startup probe fails until the service was ready once; later trouble is the readiness probe's."""
    probes.problem = "not connected yet"
    assert await probes.get("/startupz") == (
        503,
        "[-]started failed: not ready yet, see /readyz\nstartupz check failed\n",
    )
    probes.problem = None
    assert (await probes.get("/startupz"))[0] == 200
    probes.problem = "gone"
    assert (await probes.get("/startupz"))[0] == 200


async def test_dead_task_fails_liveness(probes: Probes) -> None:
    """A service with a dead part asks to be restarted."""
    probes.health.live["tasks"] = lambda: "The background task 'writer' ended unexpectedly"
    status, text = await probes.get("/livez")
    assert status == 503
    assert "[-]tasks failed: The background task 'writer' ended" in text


async def test_metrics(probes: Probes) -> None:
    """Prometheus finds both services' metrics."""
    status, text = await probes.get("/metrics")
    assert status == 200
    assert "# TYPE hookline_loop_lag_seconds gauge" in text
    assert "# TYPE hookline_redis_operation_seconds histogram" in text


async def test_page_of_a_service(probes: Probes) -> None:
    """A page is JSON; one that cannot be told now is a 503 with the reason, so that no number is taken for the truth."""
    assert await probes.get("/backlog") == (200, '{"events": 3}')
    probes.backlog = "Redis is away"
    assert await probes.get("/backlog") == (503, '{"error": "Redis is away"}')


async def test_unknown_path(probes: Probes) -> None:
    """There is nothing else on the admin port."""
    assert (await probes.get("/"))[0] == 404


async def test_taken_port_names_the_setting() -> None:
    """A port that another program has is an error with a remedy."""
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        admin = Admin(Health(), LOOPBACK, port, "INGRESS_ADMIN_PORT")
        with pytest.raises(
            PortTakenError, match=f"Port {port} on {LOOPBACK} is in use .* choose another port with INGRESS_ADMIN_PORT"
        ):
            await admin.start()
        await admin.stop()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:9080",
        "[::1]:9080",
        "10.1.2.3:9080",
        "localhost:9080",
        "LOCALHOST",
        "ingress:9080",
        "hookline.svc",
    ],
)
async def test_private_names_are_answered(probes: Probes, host: str) -> None:
    """Probes, Prometheus and commands call the port by its address, or by a name that only their network knows."""
    assert await probes.get("/metrics", host) == (200, ANY)


@pytest.mark.parametrize(
    "host", ["evil.example.com", "evil.example.com:9080", "127.0.0.1.evil.example.com", "localhost.evil.example."]
)
@pytest.mark.parametrize("path", ["/livez", "/metrics", "/readyz?verbose", "/backlog", "/nothing"])
async def test_public_names_are_not(probes: Probes, host: str, path: str) -> None:
    """A page in a browser whose name suddenly means this address reads nothing."""
    assert (await probes.get(path, host))[0] == 421


def test_own_name_is_private() -> None:
    """Whoever has the port listen at a name of a public domain may call it by that."""
    assert is_private_name("admin.example.com:9080", "admin.example.com")
    assert not is_private_name("admin.example.com:9080", "0.0.0.0")


@pytest.mark.parametrize(
    "path", ["/metrics", "/backlog", "/readyz?verbose", "/livez?verbose", "/startupz?verbose=1", "/nothing"]
)
@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}0", f"Bearer {TOKEN[:-1]}", "Bearer \xe9"]
)
async def test_token_is_needed(guarded: Probes, path: str, sent: str) -> None:
    """With a token, nothing but verdicts is told to those who do not send it, not even what exists."""
    status, text = await guarded.get(path, authorization=sent)
    assert (status, "ADMIN_TOKEN" in text) == (401, True)


@pytest.mark.parametrize("sent", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER  {TOKEN}"])
async def test_token_opens_everything(guarded: Probes, sent: str) -> None:
    """Who sends the token gets what everybody gets where there is none."""
    assert await guarded.get("/metrics", authorization=sent) == (200, ANY)
    assert await guarded.get("/backlog", authorization=sent) == (200, '{"events": 3}')
    assert "[+]redis ok" in (await guarded.get("/readyz?verbose", authorization=sent))[1]
    assert (await guarded.get("/nothing", authorization=sent))[0] == 404
    guarded.problem = "Redis cannot be reached at redis.example.com"
    assert "redis.example.com" in (await guarded.get("/readyz", authorization=sent))[1]


async def test_verdicts_need_no_token(guarded: Probes) -> None:
    """Kubernetes and load balancers, which have no token, learn whether the service works, and nothing else."""
    assert await guarded.get("/readyz") == (200, "ok\n")
    assert await guarded.get("/livez") == (200, "ok\n")
    guarded.problem = "Redis cannot be reached at redis.example.com"
    guarded.health.warnings["redis"] = lambda: ["appendonly is off. Set appendonly yes."]
    assert await guarded.get("/readyz") == (503, "readyz check failed\n")
    assert await guarded.get("/startupz") == (503, "startupz check failed\n")


async def test_token_does_not_replace_the_name(guarded: Probes) -> None:
    """A page in a browser whose name suddenly means this address is refused before its token is looked at."""
    assert (await guarded.get("/metrics", "evil.example.com", f"Bearer {TOKEN}"))[0] == 421
