"""compose.yaml, its .env and its scripts: what they name is there, and what they set is what the code knows."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hookline_cli.config import env_lines
from hookline_cli.settings.rows import secrets, variables
from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from tests.support.faults.flood_memory import flood_mib
from tests.support.processes.drain_times import ingress_drain_s, processor_drain_s

_ROOT = Path(__file__).parents[3]
_DEPLOY = _ROOT / "deploy"
_COMPOSE = (_ROOT / "compose.yaml").read_text()
_USED = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", _COMPOSE))
"""Each variable of compose.yaml with the default that it gives."""
_OF_THE_SCRIPT = {"HOOKLINE_TAG", "HOOKLINE_VERSION", "HOOKLINE_REVISION", "HOOKLINE_SOURCE"}
_LINE = re.compile(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(_COMPOSE)["services"]
    return found


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return .env.example with every line in force."""
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    return dict(_LINE.findall((_ROOT / ".env.example").read_text()))


def test_example_has_every_setting_and_no_other(example: dict[str, str]) -> None:
    """Nobody has to look elsewhere for what can be tuned, and nothing in it is without effect."""
    assert (_ROOT / ".env.example").read_text().endswith("\n" + env_lines()), "run: hookline config --env"
    assert example.keys() == {*variables(), *_USED} - _OF_THE_SCRIPT


def test_example_says_what_is_the_case_without_it(example: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With every line in force, the settings are what they are without any: the documented defaults are right."""
    required = {"PUBLIC_URL": "https://hooks.example.com", "TWILIO_AUTH_TOKEN": "0123456789"}
    for name, value in required.items():
        monkeypatch.setenv(name, value)
    without = IngressSettings.load(), ProcessorSettings.load()
    for name, value in {**example, **required}.items():
        monkeypatch.setenv(name, value)
    assert (IngressSettings.load(), ProcessorSettings.load()) == without


def test_example_has_the_defaults_of_compose(example: dict[str, str]) -> None:
    """What compose.yaml does without a variable is what the example shows."""
    of_compose = {
        name: default for name, default in _USED.items() if name not in {*_OF_THE_SCRIPT, "PUBLIC_URL", "CONSOLE_URL"}
    }
    assert {name: example[name] for name in of_compose} == of_compose


def test_compose_sets_what_is_a_setting(services: dict[str, Any]) -> None:
    """No service of Hookline is given a variable that nobody reads."""
    known = {*variables(), *(f"{name}_FILE" for name in secrets())}
    given = {
        name for service in services.values() if "HOOKLINE_TAG" in service["image"] for name in service.get("environment", {})
    }
    assert given
    assert given <= known


def test_every_service_is_given_its_own_secrets(services: dict[str, Any]) -> None:
    """Whoever gets into a processor finds no token of webhooks, but one for forwards, if you gave it; in ingress no database.

    Every secret setting has its file.
    """
    common = {"REDIS_URL_FILE", "ALERT_URL_FILE", "ALERT_ROUTING_KEY_FILE", "ADMIN_TOKEN_FILE"}
    twilio, ledger = {"TWILIO_AUTH_TOKEN_FILE", "TWILIO_SHARED_KEYS_FILE"}, {"HOOKLINE_LEDGER_URL_FILE"}
    sender, forward = {"TWILIO_API_SECRET_FILE"}, {"TWILIO_AUTH_TOKEN_FILE"}
    assert services["processor"]["environment"]["TWILIO_AUTH_TOKEN_FILE"] == "/run/secrets/forward_auth_token"
    assert common | twilio | sender | ledger == {f"{name}_FILE" for name in secrets()} - {"DATABASE_URL_FILE"}  # a fallback
    wanted = {"ingress-1": common | twilio, "ingress-2": common | twilio, "caller": twilio}
    wanted |= {"processor": common | sender | forward | ledger, "migrate": common | ledger}
    wanted |= {"console": common | ledger, "hookline": common | twilio | sender | ledger}
    owners = dict(re.findall(r"^ +(?:keep|agree|derive) (\w+) \"\$(\w+)\"", (_DEPLOY / "secrets.sh").read_text(), re.MULTILINE))
    groups = dict(re.findall(r"^(\w+)=0:(\d+)$", (_DEPLOY / "secrets.sh").read_text(), re.MULTILINE))
    for name, expected in wanted.items():
        given = {key: value for key, value in services[name]["environment"].items() if key.endswith("_FILE")}
        assert given.keys() == expected
        needed = {groups[owners[Path(value).name]] for value in given.values()}
        if name == "console":
            needed.add(groups[owners["console_users"]])
        assert needed <= {*services[name]["group_add"], groups["all"]}
        assert set(services[name]["group_add"]) <= needed


def test_every_secret_is_told_of() -> None:
    """Who looks what can be put into deploy/secrets/ finds each of them, and which setting it is."""
    readme = (_DEPLOY / "secrets" / "README.md").read_text()
    files = re.findall(r"^  ([A-Z_]+)_FILE: /run/secrets/(\w+)$", _COMPOSE, re.MULTILINE)
    assert {name for name, _ in files} == {*secrets()} - {"DATABASE_URL"}
    assert all(f"`{name}`" in readme and f"`{file}`" in readme for name, file in files)
    security = (_ROOT / "docs" / "security.md").read_text()
    assert all(re.search(rf"^\| .*`{name}`", security, re.MULTILINE) for name, _ in files)


def test_prometheus_has_the_token_of_admin_ports(services: dict[str, Any]) -> None:
    """It sends it to both services, reads it by a group of its own, and can read no other secret."""
    configuration = yaml.safe_load((_DEPLOY / "prometheus" / "prometheus.yml").read_text())
    for job in configuration["scrape_configs"]:
        assert job["authorization"] == {"credentials_file": "/run/secrets/prometheus_token"}
    script = (_DEPLOY / "secrets.sh").read_text()
    (group,) = services["prometheus"]["group_add"]
    assert f"\nprometheus=0:{group}\n" in script
    assert re.findall(r"^  \w+ (\w+) \"\$prometheus\".*$", script, re.MULTILINE) == ["prometheus_token"]
    assert "secrets:/run/secrets:ro" in services["prometheus"]["volumes"]


def test_addresses_are_not_up_to_the_example(services: dict[str, Any], example: dict[str, str]) -> None:
    """Where services listen and keep their spool is what containers are made for: a copy of the example must not undo it."""
    fixed = {name for name in example if re.fullmatch(r"(INGRESS|PROCESSOR)_(ADMIN_)?(HOST|PORT)|INGRESS_SPOOL_PATH", name)}
    assert len(fixed) == 7
    assert fixed == {name for name in fixed for service in services.values() if name in service.get("environment", {})}


def test_files_that_compose_mounts_are_there() -> None:
    """A bind mount of what does not exist makes an empty folder, and the service a puzzle."""
    named = re.findall(r"(?:^|[\s\"{-])(\./[A-Za-z0-9_./-]+)", _COMPOSE)
    grafana = [name for name in named if "grafana" in name]
    assert len(named) > len(grafana)
    missing = [name for name in named if not (_ROOT / name).exists()]
    assert set(missing) <= set(grafana)


def test_containers_stop_later_than_the_services_in_them(services: dict[str, Any]) -> None:
    """Whatever a service finishes when it stops, it gets the time for it."""
    settings = IngressSettings.load({"TWILIO_AUTH_TOKEN": "0123456789", "PUBLIC_URL": "https://hooks.example.com"})
    drains_s = {"ingress-1": ingress_drain_s(settings), "ingress-2": ingress_drain_s(settings)}
    drains_s["processor"] = processor_drain_s(ProcessorSettings.load())
    for name, drain_s in drains_s.items():
        assert int(services[name]["stop_grace_period"].removesuffix("s")) > drain_s


def test_only_this_machine_connects_by_default(services: dict[str, Any]) -> None:
    """What comes to the published port is not encrypted, so no other machine reaches it unless someone says so."""
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 4
    assert all(port.startswith(("127.0.0.1:", "${PUBLISHED_ADDRESS:-127.0.0.1}:")) for port in published)


def test_flood_fits_the_memory(services: dict[str, Any]) -> None:
    """As many half-sent bodies as there may be connections by default do not reach the memory limit by default."""
    given = services["ingress-1"]["environment"]["INGRESS_MAX_CONNECTIONS"]
    assert given == f"${{PUBLISHED_CONNECTIONS:-{_USED['PUBLISHED_CONNECTIONS']}}}"
    settings = IngressSettings.load(
        {
            "TWILIO_AUTH_TOKEN": "0123456789",
            "PUBLIC_URL": "https://hooks.example.com",
            "INGRESS_MAX_CONNECTIONS": _USED["PUBLISHED_CONNECTIONS"],
        }
    )
    assert flood_mib(settings) < int(_USED["INGRESS_MEMORY"].removesuffix("m"))


def test_nobody_gains_privileges_and_images_have_versions(services: dict[str, Any]) -> None:
    """No container gains privileges by running a program, and no image changes by itself."""
    for name, service in services.items():
        assert "no-new-privileges:true" in service.get("security_opt", []), name
        assert not service["image"].endswith(":latest"), name
        assert ":" in service["image"], name


def test_every_container_has_limits(services: dict[str, Any]) -> None:
    """None takes the memory, the swap or the processes that the others need; `image` is only built."""
    for name in services.keys() - {"image"}:
        service = services[name]
        limits = service["deploy"]["resources"]["limits"]
        assert service["memswap_limit"] == limits["memory"], name
        assert limits["pids"] > 0, name


def test_up_builds_nothing_over_the_image_in_service(services: dict[str, Any]) -> None:
    """`docker compose up --build`, typed once more, keeps the image that was deployed: it builds nothing."""
    built = {name: service for name, service in services.items() if "build" in service}
    assert built.keys() == {"image"}
    assert built["image"]["profiles"] == ["build"]


def test_doctor_looks_at_what_runs(services: dict[str, Any]) -> None:
    """In the container for commands nothing else runs, and its own spool and ports would tell nothing."""
    hookline, ingress = services["hookline"], services["ingress-1"]
    hosts = ("INGRESS_HOST", "INGRESS_ADMIN_HOST", "PROCESSOR_ADMIN_HOST")
    assert [hookline["environment"][name] for name in hosts] == ["ingress", "ingress", "processor"]
    assert set(ingress["volumes"]) | set(services["processor"]["volumes"]) <= set(hookline["volumes"])


def test_everything_that_containers_mount_is_looked_at(services: dict[str, Any]) -> None:
    """`secrets`, which starts first, sees every file of the clone that another container has to read."""
    mounts = {name: {volume.rpartition(":/")[0] for volume in service.get("volumes", [])} for name, service in services.items()}
    of_clone = {source for sources in mounts.values() for source in sources if source.startswith(("./", "${"))}
    looked_at = mounts["secrets"]
    below = {source for source in of_clone if any(source.startswith(f"{other}/") for other in looked_at)}
    assert of_clone == looked_at - {"secrets"} | below


def test_containers_may_do_nothing_that_they_need_not(services: dict[str, Any]) -> None:
    """Hookline's containers write nowhere but to the spool and /tmp, and have no privilege."""
    of_hookline = [service for service in services.values() if "HOOKLINE_TAG" in service["image"]]
    assert len(of_hookline) == 8
    for service in of_hookline:
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "privileged" not in service
        writable = [volume for volume in service.get("volumes", []) if not volume.endswith(":ro")]
        assert all(volume.startswith("spool-") for volume in writable)


def test_every_ingress_has_its_own_spool_and_admin_port(services: dict[str, Any]) -> None:
    """They share an address, and a spool file has room for one."""
    ingresses = [service for name, service in services.items() if name.startswith("ingress-")]
    ports = {service["environment"]["INGRESS_ADMIN_PORT"] for service in ingresses}
    spools = {volume for service in ingresses for volume in service["volumes"] if volume.startswith("spool-")}
    assert len(ports) == len(spools) == len(ingresses) == 2
    scraped = yaml.safe_load((_DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    asked = {entry["port"] for job in scraped if job["job_name"] == "hookline-ingress" for entry in job["dns_sd_configs"]}
    assert asked == ports


def test_user_of_redis_may_do_what_is_documented() -> None:
    """The user that deploy/secrets.sh makes has the permissions of docs/redis.md, with which both services are tested."""
    made = re.search(r"^user hookline on \$service(.*)$", (_DEPLOY / "secrets.sh").read_text(), re.MULTILINE)
    documented = re.search(r"^`(~hookline:\* [^`]*)`", (_ROOT / "docs" / "redis.md").read_text(), re.MULTILINE)
    assert made is not None
    assert documented is not None
    assert {*made[1].replace("${HOOKLINE_PREFIX:-hookline}", "hookline").split()} == {*documented[1].split(), "+waitaof"}


@pytest.mark.parametrize("script", ["deploy.sh", "secrets.sh", "k8s/components/redis/users.sh"])
def test_scripts_are_clean(script: str) -> None:
    """shellcheck finds nothing, in what they source neither: no unquoted word, no lost exit code."""
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, "-x", "-a", _DEPLOY / script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
