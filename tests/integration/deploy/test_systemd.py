"""The systemd units beside the code, and as systemd reads them."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from hookline_cli.settings.console import ConsoleSettings
from hookline_cli.settings.rows import secrets
from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.lifecycle.service import EXIT_SETTINGS
from hookline_shared.settings.base import SharedSettings, secret_variables
from hookline_shared.validation import fields_of
from tests.support.faults.flood_memory import flood_mib
from tests.support.processes.drain_times import ingress_drain_s, processor_drain_s
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer

UNITS: Final = Path(__file__).parents[3] / "deploy" / "systemd"
CONSOLE_UNIT: Final = UNITS / "hookline-console.service"
COMPOSE_UNIT: Final = UNITS.parent / "hookline-compose.service"
PAGE: Final = UNITS.parents[1] / "docs" / "systemd.md"
SERVICES: Final = ("ingress", "processor")
TOKEN: Final = "0123456789abcdef0123456789abcdef"
NAMES: Final = re.compile(r"^(?:# )?([A-Z_]+)=", re.MULTILINE)
"""Variables in an environment file, those that are commented out included."""
HARDEST: Final = 1.5
"""The exposure that systemd calls OK begins at 4; ours should not creep up."""

Unit = dict[str, list[str]]


def unit(name: str) -> Unit:
    """Return what a unit says: each key with its values, in their order."""
    found: Unit = {}
    for line in (UNITS / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def service(name: str) -> Unit:
    return unit(f"hookline-{name}@.service")


def variables(file: str) -> dict[str, str]:
    """Return what an environment file sets."""
    pairs = (line.partition("=") for line in (UNITS / file).read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def environment(name: str, admin_port: int) -> dict[str, str]:
    """Return the environment of one instance."""
    own = dict(one.replace("%i", str(admin_port)).split("=", 1) for one in service(name)["Environment"])
    files = [variables(Path(file).name) for file in service(name)["EnvironmentFile"]]
    return own | {variable: value for file in files for variable, value in file.items() if value}


def test_nobody_is_killed_while_draining() -> None:
    """systemd waits for longer than the services may take to stop."""
    (ingress_s,), (processor_s,) = service("ingress")["TimeoutStopSec"], service("processor")["TimeoutStopSec"]
    settings = {"TWILIO_AUTH_TOKEN": TOKEN, "PUBLIC_URL": "https://hooks.example.com"}
    assert int(ingress_s) > ingress_drain_s(IngressSettings.load(settings))
    assert int(processor_s) > processor_drain_s(ProcessorSettings.load())


@pytest.mark.parametrize("name", SERVICES)
def test_wrong_settings_are_not_tried_again(name: str) -> None:
    """A service that cannot start as it is told stays down, and any other end is followed by a start, however often."""
    found = service(name)
    assert found["Restart"] == ["always"]
    assert found["RestartPreventExitStatus"] == [str(EXIT_SETTINGS)]
    assert found["StartLimitIntervalSec"] == ["0"]


@pytest.mark.parametrize("name", SERVICES)
def test_command_exists(name: str) -> None:
    """The unit starts the command of an environment of its own, and waits for a path of the admin port."""
    (command,), (wait,) = service(name)["ExecStart"], service(name)["ExecStartPost"]
    program, *arguments = command.split()
    assert program == f"{service(name)['WorkingDirectory'][0]}/.venv/bin/hookline"
    assert arguments == [name]
    assert wait.endswith("http://127.0.0.1:%i/livez")


def test_page_installs_what_the_units_start() -> None:
    """The wheel and the locked versions, never compiled, into the environment that the units name; not that of a developer."""
    text = PAGE.read_text()
    folder = service("ingress")["WorkingDirectory"][0]
    assert f"{folder}-$version/.venv/bin/pip install --require-hashes --only-binary :all: -r deploy/requirements.lock\n" in text
    assert f"{folder}-$version/.venv/bin/pip install --no-deps --no-index dist/hookline-$version-py3-none-any.whl\n" in text
    assert f"ln -sfn {folder}-$version {folder} " in text
    assert "make setup" not in text
    assert not re.search(r"apt-get install .*\b(make|gcc|build-essential|python3-dev)\b", text)


def test_instances_share_a_port_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ingresses have the same port, and each an admin port, a folder and a spool of its own."""
    found = []
    for port in (9080, 9082):
        for variable, value in (environment("ingress", port) | {"TWILIO_AUTH_TOKEN": TOKEN}).items():
            monkeypatch.setenv(variable, value)
        found.append(IngressSettings.load())
    first, second = found
    assert first.port == second.port
    assert (first.admin_port, second.admin_port) == (9080, 9082)
    for settings in found:
        folder = service("ingress")["StateDirectory"][0].replace("%i", str(settings.admin_port))
        assert settings.spool_path == Path("/var/lib", folder, "spool.db")
        (files,) = service("ingress")["LimitNOFILE"]
        assert int(files) > settings.max_connections


def test_flood_fits_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many half-sent bodies as there may be connections do not reach the memory limit."""
    for variable, value in (environment("ingress", 9080) | {"TWILIO_AUTH_TOKEN": TOKEN}).items():
        monkeypatch.setenv(variable, value)
    (limit,) = service("ingress")["MemoryMax"]
    assert limit == "1G"
    assert flood_mib(IngressSettings.load()) < 1024


def test_settings_are_known() -> None:
    """No variable of the files is mistyped, those that are commented out included."""
    known = {variable.name for one in (IngressSettings, ProcessorSettings, ConsoleSettings) for _, variable in fields_of(one)}
    for file in UNITS.glob("*.env"):
        assert set(NAMES.findall(file.read_text())) <= known


def test_secrets_are_apart() -> None:
    """Secrets are in files of their own, which the others may not read, and the processor has no token of Twilio."""
    modes = {
        line.split()[1]: line.split()[2] for line in (UNITS / "hookline.tmpfiles").read_text().splitlines() if line[:1] == "z"
    }
    for name in (*SERVICES, "console"):
        assert modes[f"/etc/hookline/{name}-secrets.env"] == "0600"
    assert not {"TWILIO_AUTH_TOKEN", "REDIS_URL", "HOOKLINE_LEDGER_URL"} & variables("hookline.env").keys()
    assert "TWILIO_AUTH_TOKEN" not in environment("processor", 9081)


@pytest.mark.parametrize(("name", "settings"), [("ingress", IngressSettings), ("processor", ProcessorSettings)])
def test_every_secret_setting_has_its_place(name: str, settings: type[SharedSettings]) -> None:
    """A secret setting of a service is in its file of secrets, and none is forgotten; other settings are in a common file."""
    assert set(NAMES.findall((UNITS / f"{name}-secrets.env").read_text())) == {*secret_variables(settings)}
    assert not {*secrets()} & set(NAMES.findall((UNITS / "hookline.env").read_text()))
    assert all("/etc/hookline/hookline.env" in service(name)["EnvironmentFile"] for name in SERVICES)


def test_console_has_what_it_reads_and_no_more() -> None:
    """It reads Redis, the ledger and admin ports. It posts no alerts, and has nothing of Twilio's."""
    wanted = {*secret_variables(ConsoleSettings), "HOOKLINE_LEDGER_URL"} - {"ALERT_URL", "ALERT_ROUTING_KEY"}
    assert set(NAMES.findall((UNITS / "console-secrets.env").read_text())) == wanted


async def test_services_run_with_these_files(own_redis: RedisServer, services: Services) -> None:
    """With a token, and nothing else changed but what tests need, both services come up and are ready."""
    here = {"REDIS_URL": own_redis.url, "INGRESS_PORT": "0", "INGRESS_SPOOL_PATH": "spool.db", "TWILIO_AUTH_TOKEN": TOKEN}
    for one in (services.ingress(environment("ingress", 0) | here), services.processor(environment("processor", 0) | here)):
        await one.start()


analysed = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")


def analyse(*words: str, path: Path) -> str:
    """Return what systemd-analyze says; fails if it is not content."""
    told = {**os.environ, "SYSTEMD_UNIT_PATH": f"{path}:", "SYSTEMD_LOG_LEVEL": "warning"}
    made = subprocess.run(["systemd-analyze", *words], check=False, capture_output=True, text=True, env=told)
    assert made.returncode == 0, made.stderr
    return made.stdout + made.stderr


def copied(folder: Path) -> list[str]:
    """Copy the units to `folder`, with programs that are here; return an instance of each service, and the target."""
    for file in UNITS.glob("hookline*.*"):
        text = file.read_text().replace("/opt/hookline/.venv/bin/hookline", "/bin/true").replace("/usr/bin/curl", "/bin/true")
        (folder / file.name).write_text(text)
    instances = [f"hookline-{name}@{port}.service" for name, port in (("ingress", 9080), ("processor", 9081))]
    return [f"{folder}/{name}" for name in (*instances, CONSOLE_UNIT.name, "hookline.target")]


@analysed
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """Every key is one that systemd knows, and every value one that it takes."""
    assert analyse("verify", *copied(tmp_path), path=tmp_path) == ""


@analysed
def test_systemd_understands_the_documented_drop_in(tmp_path: Path) -> None:
    """Secrets as credentials, in the words of docs/systemd.md."""
    (text,) = re.findall(r"```ini\n(.*?)```", PAGE.read_text(), re.DOTALL)
    units = copied(tmp_path)
    (tmp_path / "hookline-ingress@.service.d").mkdir()
    (tmp_path / "hookline-ingress@.service.d" / "override.conf").write_text(text)
    assert analyse("verify", *units, path=tmp_path) == ""


def test_documented_credentials_are_read() -> None:
    """Each file that systemd hands over is named by the variable of a secret."""
    text = PAGE.read_text()
    credentials = re.findall(r"^LoadCredential=([a-z_]+):/etc/hookline/\1$", text, re.MULTILINE)
    read = dict(re.findall(r"^Environment=([A-Z_]+)_FILE=%d/([a-z_]+)$", text, re.MULTILINE))
    assert credentials
    assert read == {name.upper(): name for name in credentials}
    assert read.keys() <= set(secrets())
    assert len(read) == text.count("Environment=") == text.count("LoadCredential=")


@analysed
@pytest.mark.parametrize(
    "file",
    [*(UNITS / f"hookline-{name}@.service" for name in SERVICES), CONSOLE_UNIT, COMPOSE_UNIT],
    ids=lambda path: path.stem,
)
def test_units_are_locked_up(file: Path) -> None:
    """The services can do little more than talk over the network and write to their own folder; Compose's even less."""
    said = analyse("security", "--offline=yes", str(file), path=UNITS)
    (exposure,) = re.findall(r"Overall exposure level .*: ([0-9.]+)", said)
    assert float(exposure) <= HARDEST
