"""The Kubernetes manifests beside the code: paths, ports, times and settings are those of the services."""

import asyncio
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from prometheus_client import REGISTRY

from hookline_ingress.settings import IngressSettings
from hookline_processor.app import build_processor
from hookline_processor.attempts.threads import Threads
from hookline_processor.loading.loading import log_only
from hookline_processor.settings import ProcessorSettings
from hookline_shared.alerts.rules import RULES
from hookline_shared.validation import fields_of
from tests.support.deployment.manifests import Manifests, Object, pod, port_number
from tests.support.faults.flood_memory import flood_mib
from tests.support.observability.logbook import Logbook
from tests.support.processes.drain_times import ingress_drain_s, processor_drain_s
from tests.support.servers.ports import LOOPBACK
from tests.support.time.manual_clock import ManualClock

SECRETS: Final = {
    "TWILIO_AUTH_TOKEN": "0123456789abcdef0123456789abcdef",
    "TWILIO_SHARED_KEYS": "key=secret",
    "REDIS_URL": "redis://redis:6379/0",
    "HOOKLINE_LEDGER_URL": "postgresql://ledger:secret@postgres/ledger",
    "ADMIN_TOKEN": "0123456789abcdef",
    "ALERT_URL": "https://hooks.slack.com/services/secret",
}
SIZES: Final = {"Mi": 1, "Gi": 1024}


@pytest.fixture(scope="module", params=["small", "production"])
def manifests(request: pytest.FixtureRequest) -> Manifests:
    """Return what the overlays make."""
    return Manifests.of_overlay(request.param)


def container(manifests: Manifests, name: str) -> Object:
    """Return the container of hookline-`name`."""
    (found,) = pod(manifests.workload(f"hookline-{name}"))["containers"]
    return dict(found)


def set_environment(manifests: Manifests, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment that a container has, with secrets, and the files that it has, in `folder`."""
    for variable, value in manifests.environment(container(manifests, name)):
        monkeypatch.setenv(variable, SECRETS.get(variable, value))
    (config,) = [one for one in manifests.of("ConfigMap") if one["metadata"]["name"].startswith("hookline-config-")]
    (folder / "hookline.toml").write_text(config["data"]["hookline.toml"])
    monkeypatch.setenv("HOOKLINE_CONFIG", str(folder / "hookline.toml"))


@pytest.fixture
def ingress_settings(manifests: Manifests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IngressSettings:
    """Return the settings that ingress has there."""
    set_environment(manifests, "ingress", tmp_path, monkeypatch)
    return IngressSettings.load()


@pytest.fixture
def processor_settings(manifests: Manifests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProcessorSettings:
    """Return the settings that the processor has there."""
    set_environment(manifests, "processor", tmp_path, monkeypatch)
    return ProcessorSettings.load()


def mebi(size: str) -> int:
    """Return the MiB of a size as Kubernetes writes it."""
    return int(size[:-2]) * SIZES[size[-2:]]


def grace_s(manifests: Manifests, name: str) -> float:
    """Return the seconds from SIGTERM to SIGKILL, those of the preStop hook taken off."""
    hook = container(manifests, name).get("lifecycle", {}).get("preStop", {}).get("sleep", {"seconds": 0})
    return float(pod(manifests.workload(f"hookline-{name}"))["terminationGracePeriodSeconds"] - hook["seconds"])


def test_nobody_is_killed_while_draining(
    manifests: Manifests, ingress_settings: IngressSettings, processor_settings: ProcessorSettings
) -> None:
    """The time that a pod gets to end is longer than the service may take, with these settings."""
    assert grace_s(manifests, "ingress") > ingress_drain_s(ingress_settings)
    assert grace_s(manifests, "processor") > processor_drain_s(processor_settings)


def test_ports_are_those_of_the_settings(
    manifests: Manifests, ingress_settings: IngressSettings, processor_settings: ProcessorSettings
) -> None:
    """Containers name the ports on which the services listen, for whoever calls from outside the pod."""
    ingress, processor = container(manifests, "ingress"), container(manifests, "processor")
    assert port_number(ingress, "http") == ingress_settings.port
    assert port_number(ingress, "admin") == ingress_settings.admin_port
    assert port_number(processor, "admin") == processor_settings.admin_port
    assert "127.0.0.1" not in (ingress_settings.host, ingress_settings.admin_host, processor_settings.admin_host)


def test_settings_are_known(manifests: Manifests) -> None:
    """No variable is mistyped: one of the services reads it."""
    read = {variable.name for one in (IngressSettings, ProcessorSettings) for _, variable in fields_of(one)}
    known = {"HOOKLINE_CONFIG", *read}
    for name in ("ingress", "processor"):
        assert {variable for variable, _ in manifests.environment(container(manifests, name))} <= known


async def answers(port: int, paths: list[str]) -> dict[str, int]:
    async with aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as session:
        found = {}
        for path in paths:
            async with session.get(path) as answer:
                found[path] = answer.status
        return found


async def test_probes_ask_for_what_there_is(
    manifests: Manifests, clock: ManualClock, logbook: Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every probe asks the admin port for a path that is there; so do Prometheus and KEDA. This processor is not started, and
    says that it is not ready."""
    paths = ["/metrics", "/backlog"]
    for name in ("ingress", "processor"):
        asked = container(manifests, name)
        for probe, path in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz"), ("startupProbe", "/startupz")):
            assert asked[probe]["httpGet"] == {"path": path, "port": "admin"}
            paths.append(path)
    monkeypatch.setenv("PROCESSOR_ADMIN_PORT", "0")
    processor = build_processor(ProcessorSettings.load(), log_only(), Threads(1), clock, logbook.logger)
    port = await processor.admin.start()
    try:
        found = await answers(port, paths)
    finally:
        await processor.admin.stop()
    assert found == {"/livez": 200, "/readyz": 503, "/startupz": 503, "/metrics": 200, "/backlog": 503}


def test_probes_are_patient(manifests: Manifests, processor_settings: ProcessorSettings) -> None:
    """Nobody is killed for what takes as long as it may: a start without Redis, a handler that keeps the event loop busy."""
    for name in ("ingress", "processor"):
        startup, live = (container(manifests, name)[probe] for probe in ("startupProbe", "livenessProbe"))
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 300
        assert live["periodSeconds"] * live["failureThreshold"] >= 30
    live = container(manifests, "processor")["livenessProbe"]
    assert live["periodSeconds"] * live["failureThreshold"] > processor_settings.handler_timeout_s


def test_flood_fits_the_memory(manifests: Manifests, ingress_settings: IngressSettings) -> None:
    """As many half-sent bodies as there may be connections do not reach the memory limit."""
    assert flood_mib(ingress_settings) < mebi(container(manifests, "ingress")["resources"]["limits"]["memory"])


def test_spool_fits_its_volume(manifests: Manifests, ingress_settings: IngressSettings) -> None:
    """The spool is on the volume that is meant for it, which has room for the file and as much again for its log."""
    (mount,) = [one for one in container(manifests, "ingress")["volumeMounts"] if one["name"] == "spool"]
    assert ingress_settings.spool_path is not None
    assert str(ingress_settings.spool_path.parent) == mount["mountPath"]
    workload = manifests.workload("hookline-ingress")
    claims = [one["spec"]["resources"]["requests"]["storage"] for one in workload["spec"].get("volumeClaimTemplates", ())]
    empty = [one["emptyDir"]["sizeLimit"] for one in pod(workload)["volumes"] if one["name"] == "spool"]
    (size,) = claims + empty
    assert mebi(size) > 2 * ingress_settings.spool_max_mb


def test_empty_volume_raises_no_alert(ingress_settings: IngressSettings) -> None:
    """A volume of the spool is larger than what disk_low, which is about MiB and not shares, wants to see free."""
    (claim,) = Manifests.of_overlay("production").workload("hookline-ingress")["spec"]["volumeClaimTemplates"]
    limit = RULES["disk_low"].limit
    size = mebi(claim["spec"]["resources"]["requests"]["storage"])
    assert size > 1.1 * limit.clear
    assert size - ingress_settings.spool_max_mb > limit.threshold


def test_full_spool_is_no_reason_to_evict_its_pod(manifests: Manifests, ingress_settings: IngressSettings) -> None:
    """A pod asks for as much of its node's disk as a full spool takes there, and may use what its volumes may hold."""
    workload = manifests.workload("hookline-ingress")
    resources = container(manifests, "ingress")["resources"]
    asked, most = (mebi(resources[kind]["ephemeral-storage"]) for kind in ("requests", "limits"))
    volumes = {one["name"]: mebi(one["emptyDir"]["sizeLimit"]) for one in pod(workload)["volumes"] if "emptyDir" in one}
    assert most > sum(volumes.values())
    assert asked >= (2 * ingress_settings.spool_max_mb if "spool" in volumes else volumes["tmp"])


@pytest.mark.parametrize("component", ["processors-by-prometheus", "processors-by-backlog"])
def test_no_more_processors_than_partitions(component: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The autoscaler makes none that would own nothing, and none less than is needed when one dies."""
    manifests = Manifests.of_components(tmp_path, component)
    set_environment(manifests, "processor", tmp_path, monkeypatch)
    (scaler,) = manifests.of("ScaledObject")
    spec = scaler["spec"]
    assert 2 <= spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    assert spec["maxReplicaCount"] == ProcessorSettings.load().partitions


def trigger(component: str, folder: Path) -> tuple[Manifests, dict[str, Any]]:
    """Return the one trigger by which a component scales."""
    manifests = Manifests.of_components(folder, component)
    (scaler,) = manifests.of("ScaledObject")
    (found,) = scaler["spec"]["triggers"]
    return manifests, found


def test_prometheus_is_asked_for_a_metric_that_exists(tmp_path: Path) -> None:
    """The query names a metric of the processor, and takes the largest, not the sum, of what all processors tell alike."""
    _, found = trigger("processors-by-prometheus", tmp_path)
    query = found["metadata"]["query"]
    (name,) = re.findall(r"hookline_\w+(?=\{)", query)
    assert name in {metric.name for metric in REGISTRY.collect()}
    assert query.startswith("max(sum by (pod)")


def test_backlog_is_asked_where_it_is(tmp_path: Path) -> None:
    """The URL is that of the processor's admin Service, and of its page."""
    manifests, found = trigger("processors-by-backlog", tmp_path)
    service = manifests.get("Service", "hookline-processor")
    where = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc:{service['spec']['ports'][0]['port']}"
    assert found["metadata"]["url"] == f"http://{where}/backlog"
    assert found["metadata"]["valueLocation"] == "events"


async def test_commands_exist(manifests: Manifests) -> None:
    """Containers start modules and commands that are there."""
    for workload in manifests.workloads():
        match pod(workload)["containers"][0]["command"]:
            case ["python", "-m", module]:
                assert importlib.util.find_spec(f"{module}.__main__")
            case ["hookline", *words]:
                help_page = await asyncio.create_subprocess_exec(
                    Path(sys.executable).with_name("hookline"), *words, "--help", stdout=asyncio.subprocess.PIPE
                )
                assert await help_page.wait() == 0
            case command:
                assert command[0] == "redis-server"
