"""What is in the image: what was tested, nothing that only developers need, and a health check that knows both services."""

import asyncio
import re
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.observability.admin import Admin
from hookline_shared.observability.health import Health
from hookline_shared.validation import field_of

_ROOT = Path(__file__).parents[3]
_DEPLOY = _ROOT / "deploy"
_PIN = re.compile(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)
_NAME = re.compile(r"^[A-Za-z0-9_.-]+")
_IMPORT = re.compile(r"^(?:import|from) (\w+)", re.MULTILINE)
"""What a module imports as soon as it is imported itself."""
_DISTRIBUTIONS = {"argon2": "argon2-cffi", "opentelemetry": "opentelemetry-api"}
"""Of packages that are not named after what they are installed with."""


def pins(lock: Path) -> dict[str, str]:
    return dict(_PIN.findall(lock.read_text()))


def script(name: str) -> ModuleType:
    """Return a script of the folder `deploy` as a module."""
    spec = spec_from_file_location(name, _DEPLOY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def healthcheck() -> ModuleType:
    return script("healthcheck")


def packages_of_the_wheel() -> list[Path]:
    wheel = tomllib.loads((_ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    return [_ROOT / name for name in wheel["packages"]]


@pytest.mark.parametrize("lock", ["requirements.lock", "build.lock"])
def test_image_has_the_versions_that_were_tested(lock: str) -> None:
    """Every pin is one of requirements.lock, which the tests ran with."""
    assert pins(_DEPLOY / lock).items() <= pins(_ROOT / "requirements.lock").items()
    assert pins(_DEPLOY / lock)


def test_image_has_what_is_needed_and_no_tools() -> None:
    """All that the project and the extras of the image depend on is there; linters, tests and the embedded Redis are not."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    def names(dependencies: list[str]) -> set[str]:
        found = (_NAME.match(one) for one in dependencies)
        return {match[0].lower() for match in found if match} - {"hookline"}

    wanted = names([*project["dependencies"], *extras["ledger"], *extras["postgres"], *extras["sendgrid"], *extras["otel"]])
    image = pins(_DEPLOY / "requirements.lock").keys()
    assert wanted <= image
    assert not names([*extras["dev"], *extras["embedded"], *extras["reload"]]) & image


def test_image_has_what_its_build_imports() -> None:
    """The build imports every module of the wheel; one that imports what only developers have would end it."""
    shrink, pinned = script("shrink"), pins(_DEPLOY / "requirements.lock").keys()
    assert set(shrink.OWN) == {package.name for package in packages_of_the_wheel()}
    own = {*shrink.OWN, *sys.stdlib_module_names}
    lacking = {}
    for file in (file for package in packages_of_the_wheel() for file in package.rglob("*.py")):
        module = ".".join(file.relative_to(_ROOT).with_suffix("").parts)
        if (file.parent / "__init__.py").exists() and not module.endswith((*shrink.RUN, *shrink.LACKING)):
            imported = set(_IMPORT.findall(file.read_text())) - own
            lacking[module] = {_DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in imported} - pinned
    assert not {module: names for module, names in lacking.items() if names}


def test_nothing_but_what_is_named_gets_into_the_image() -> None:
    """The build's context begins empty, so that no .env, secret or data is in a layer by mistake."""
    rules = [line for line in (_ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    added = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert all((_ROOT / name).exists() for name in added)
    assert "deploy/secrets" not in added
    assert "deploy" not in added


def test_image_is_labelled_with_the_version() -> None:
    """Also one that is built by hand, without the build argument."""
    version = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"ARG VERSION={version}\n" in (_ROOT / "Dockerfile").read_text()
    assert f"${{HOOKLINE_VERSION:-{version}}}" in (_ROOT / "compose.yaml").read_text()


def test_handlers_are_where_services_start() -> None:
    """A folder of handlers is mounted below the working folder; PYTHONPATH would come before the standard library."""
    dockerfile = (_ROOT / "Dockerfile").read_text()
    assert re.findall(r"^WORKDIR (\S+)", dockerfile, re.MULTILINE)[-1] == "/app"
    assert "PYTHONPATH" not in dockerfile
    assert "}:/app/${HANDLERS_PACKAGE" in (_ROOT / "compose.yaml").read_text()


@pytest.mark.parametrize(
    ("command", "service"),
    [
        (b"/opt/hookline/bin/python\0/opt/hookline/bin/hookline\0ingress\0", "ingress"),
        (b"/opt/hookline/bin/python\0-m\0hookline_processor\0", "processor"),
        (b"hookline\0ledger\0migrate\0", None),
    ],
)
def test_health_check_tells_the_service(command: bytes, service: str | None, healthcheck: ModuleType) -> None:
    """One image, two services: the command line of process 1 says whose port is asked."""
    assert healthcheck.service(command) == service


def test_health_check_knows_the_ports(healthcheck: ModuleType) -> None:
    """Its variables and defaults are those of the settings."""
    for name, settings in (("ingress", IngressSettings), ("processor", ProcessorSettings)):
        port = field_of(settings, "admin_port")
        assert port.variable is not None
        assert healthcheck.PORTS[name] == (port.variable.name, port.default)


async def test_health_check_says_what_is_wrong(
    healthcheck: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ready, not ready with the reason, and nobody there are distinguished."""
    health, problem = Health(), ["Redis cannot be reached."]
    health.ready["redis"] = lambda: problem[0] if problem else None
    admin = Admin(health, "127.0.0.1", 0, "INGRESS_ADMIN")
    port = await admin.start()
    ready, text = await asyncio.to_thread(healthcheck.ask, port)
    assert not ready
    assert "Redis cannot be reached." in text
    admin._authorization = b"bearer token"
    assert await asyncio.to_thread(healthcheck.ask, port) == (False, "readyz check failed")
    assert "Redis cannot be reached." in (await asyncio.to_thread(healthcheck.ask, port, "token"))[1]
    monkeypatch.setenv("ADMIN_TOKEN", "token")
    assert healthcheck.admin_token() == "token"
    monkeypatch.setenv("ADMIN_TOKEN_FILE", str(tmp_path / "admin_token"))
    assert healthcheck.admin_token() == ""
    (tmp_path / "admin_token").write_text("other\n")
    assert healthcheck.admin_token() == "other"
    problem.clear()
    assert await asyncio.to_thread(healthcheck.ask, port) == (True, "ok")
    await admin.stop()
    ready, text = await asyncio.to_thread(healthcheck.ask, port)
    assert not ready
    assert f"nothing answers on the admin port {port}" in text
