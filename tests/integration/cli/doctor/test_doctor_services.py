"""What `hookline doctor` finds out about handlers, ports, and a webhook that it sends."""

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
import redis

from hookline_cli.admin_address import AdminAddress
from hookline_cli.doctor.checks.handlers_module import check_handlers
from hookline_cli.doctor.checks.ports import check_ports
from hookline_cli.doctor.checks.webhook import check_webhook
from hookline_cli.doctor.finding import Level
from hookline_cli.status.service_report import ask
from tests.support.inbound.webhooks import PUBLIC_URL, TOKEN
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.processes.findings import module, subject, the_wrong, wrongs
from tests.support.processes.status_snapshots import situation
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.waiting import until


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder from which a processor would start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    return tmp_path


_GOOD = """
from hookline import Handlers
print("noise")
handlers = Handlers()
handlers.ignore("call.received")
@handlers.on("message.received")
async def answer(event, context): ...
"""


async def test_good_handlers(folder: Path) -> None:
    """They are imported as the processor would; it is told what is handled, whatever the module prints."""
    found = await check_handlers(subject({"PROCESSOR_HANDLERS": module(folder, "good", _GOOD)}))
    assert wrongs(found) == []
    assert (
        "handled: message.received, call.received; without a handler, so dead letters 600 s after receipt: message.status"
        in found[0].found
    )


_SLOW = """
from hookline import Handlers
handlers = Handlers()
@handlers.on("message.received", timeout=300)
async def answer(event, context): ...
"""


async def test_stop_that_may_cut_handlers(folder: Path) -> None:
    """Times that contradict each other are told, with both; those that fit are not."""
    slow = {"PROCESSOR_HANDLERS": module(folder, "slow", _SLOW)}
    level, found = the_wrong(await check_handlers(subject(slow)))
    assert level is Level.WARNING
    assert "handlers may take 300 s, and get 40 s when the processor stops" in found
    assert wrongs(await check_handlers(subject(slow | {"PROCESSOR_SHUTDOWN_S": 302}))) == []
    good = {"PROCESSOR_HANDLERS": module(folder, "good", _GOOD)}
    level, found = the_wrong(await check_handlers(subject(good | {"PROCESSOR_HANDLER_TIMEOUT_S": 60})))
    assert "handlers may take 60 s" in found
    level, found = the_wrong(await check_handlers(subject(good | {"PROCESSOR_SHUTDOWN_S": 25})))
    assert "handlers may take 30 s, and get 25 s" in found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no module bad"),
        ("import nowhere", "importing bad needs the module nowhere, which is not there"),
        ("handlers = 1 / 0", "failed with ZeroDivisionError"),
        ("def (", "failed with SyntaxError"),
        ("handlers = 3", "handlers is a int in bad"),
        ("import sys; sys.exit('gave up')", "ends the process with SystemExit('gave up')"),
        ("import os; os._exit(7)", "ended the process with code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended the process with code -11"),
    ],
)
async def test_broken_handlers(folder: Path, text: str | None, words: str) -> None:
    """Whatever the module does, it is reported, and doctor goes on."""
    location = "bad:handlers" if text is None else module(folder, "bad", text)
    level, found = the_wrong(await check_handlers(subject({"PROCESSOR_HANDLERS": location})))
    assert level is Level.PROBLEM
    assert words in found


async def test_handlers_that_hang(folder: Path) -> None:
    """A module that never ends being imported is given up, together with what it started."""
    text = "import os, subprocess, time\nopen('pid', 'w').write(str(subprocess.Popen(['sleep', '600']).pid))\ntime.sleep(600)"
    level, found = the_wrong(await check_handlers(subject({"PROCESSOR_HANDLERS": module(folder, "bad", text)}), timeout_s=3))
    assert level is Level.PROBLEM
    assert "takes longer than 3 s" in found
    await until(lambda: not _runs((folder / "pid").read_text()), "what it started has ended")


def _runs(pid: str) -> bool:
    """Whether a process runs; one that nobody has buried yet does not."""
    file = Path(f"/proc/{pid}/stat")
    try:
        return file.read_text().split()[2] != "Z"
    except OSError:
        return False


async def test_no_handlers() -> None:
    """Events that are only logged are a warning."""
    level, found = the_wrong(await check_handlers(subject({})))
    assert (level, found) == (Level.WARNING, "PROCESSOR_HANDLERS is not set")


def ports(**settings: int | str) -> dict[str, int | str]:
    """Return settings of ports on which nothing listens, but for `settings`."""
    names = ("INGRESS_PORT", "INGRESS_ADMIN_PORT", "PROCESSOR_ADMIN_PORT")
    return {"INGRESS_HOST": LOOPBACK, **{name: free_port() for name in names}, **settings}


async def test_free_ports() -> None:
    """Where nothing runs, nothing is wrong."""
    found = await check_ports(subject(ports()))
    assert wrongs(found) == []
    assert len(found) == 3


@pytest.mark.parametrize("name", ["INGRESS_PORT", "INGRESS_ADMIN_PORT", "PROCESSOR_ADMIN_PORT"])
async def test_port_of_another_program(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is taken keeps a service from starting."""
    monkeypatch.setattr("hookline_cli.status.service_report._TIMEOUT_S", 0.5)  # it takes connections, and is silent
    with socket.create_server((LOOPBACK, 0)) as other:
        level, found = the_wrong(await check_ports(subject(ports(**{name: other.getsockname()[1]}))))
    assert level is Level.PROBLEM
    assert "another program listens" in found


async def test_address_of_another_machine() -> None:
    """An address that is not ours cannot be listened on."""
    level, found = the_wrong(await check_ports(subject(ports(PROCESSOR_ADMIN_HOST="192.0.2.1"))))
    assert level is Level.PROBLEM
    assert "cannot listen on 192.0.2.1" in found


async def test_our_own_ingress(ingress: LocalIngress) -> None:
    """Ports on which our own service listens are fine; it is no processor, and may have another port for webhooks."""
    own = ports(INGRESS_PORT=ingress.port, INGRESS_ADMIN_PORT=ingress.admin_port)
    assert wrongs(await check_ports(subject(own))) == []
    level, found = the_wrong(await check_ports(subject(own | {"INGRESS_PORT": free_port()})))
    assert level is Level.WARNING
    assert "nothing listens on port" in found
    level, found = the_wrong(await check_ports(subject(ports(PROCESSOR_ADMIN_PORT=ingress.admin_port))))
    assert level is Level.PROBLEM
    assert "another Hookline ingress listens" in found


async def test_our_own_ingress_with_a_token(redis_url: str) -> None:
    """Who has its ADMIN_TOKEN learns all of a service, and who has not learns that this is missing."""
    token: dict[str, int | str] = {"ADMIN_TOKEN": "t" * 16}
    async with running_ingress({**ingress_settings(redis_url), **token}) as ingress:
        own = ports(INGRESS_PORT=ingress.port, INGRESS_ADMIN_PORT=ingress.admin_port)
        assert wrongs(await check_ports(subject(own | token))) == []
        for wrong in (None, "u" * 16):
            level, found = the_wrong(await check_ports(subject(own | ({"ADMIN_TOKEN": wrong} if wrong else {}))))
            assert (level, "refuses ADMIN_TOKEN" in found) == (Level.PROBLEM, True)
            service = await ask(AdminAddress("ingress", LOOPBACK, ingress.admin_port), wrong)
            assert situation(service).problems()[0].startswith("ingress: it refuses the ADMIN_TOKEN of this command.")


async def test_webhook_gets_through(ingress: LocalIngress, redis_client: "redis.Redis") -> None:
    """It is verified with the token and the public URL, and nothing is stored."""
    before = set(redis_client.keys())
    settings = ports(INGRESS_PORT=ingress.port, INGRESS_ADMIN_PORT=ingress.admin_port)
    found = await check_webhook(subject(settings))
    assert wrongs(found) == []
    assert "was verified" in found[0].found
    assert f"{PUBLIC_URL} was not tested" in found[1].found
    assert set(redis_client.keys()) == before
    bound = settings | {"TWILIO_AUTH_TOKEN": f"AC{'1' * 32}={TOKEN}"}
    assert wrongs(await check_webhook(subject(bound))) == []


@pytest.mark.parametrize("wrong", [{"TWILIO_AUTH_TOKEN": "f" * 32}, {"PUBLIC_URL": "https://other.example.com"}])
async def test_webhook_that_is_refused(ingress: LocalIngress, wrong: Mapping[str, str]) -> None:
    """An ingress that was started with another token or public URL refuses it, as it refuses Twilio's."""
    settings = ports(INGRESS_PORT=ingress.port, INGRESS_ADMIN_PORT=ingress.admin_port) | dict(wrong)
    level, found = the_wrong(await check_webhook(subject(settings)))
    assert level is Level.PROBLEM
    assert found.endswith("was answered with 403")


async def test_public_url_that_leads_elsewhere(ingress: LocalIngress) -> None:
    """A public URL of this machine is tried, too: what answers there may not be ingress, or nobody may."""
    own = ports(INGRESS_PORT=ingress.port, INGRESS_ADMIN_PORT=ingress.admin_port)
    there = f"http://localhost:{ingress.admin_port}"
    found = await check_webhook(subject(own | {"PUBLIC_URL": f"{PUBLIC_URL},{there}"}))
    level, text = the_wrong(found)
    assert level is Level.PROBLEM
    assert f"{there}, was answered with 404" in text
    nowhere = f"http://localhost:{free_port()}"
    level, text = the_wrong(await check_webhook(subject(own | {"PUBLIC_URL": f"{PUBLIC_URL},{nowhere}"})))
    assert level is Level.PROBLEM
    assert f"{nowhere} cannot be reached" in text


async def test_no_ingress_is_a_warning() -> None:
    """Before the first start there is nobody to send to."""
    level, text = the_wrong(await check_webhook(subject(ports())))
    assert level is Level.WARNING
    assert "is not running here" in text
