"""The Kubernetes manifests by themselves: a cluster would take them, and they hang together."""

import re
from pathlib import Path
from typing import Final

import kubernetes_validate
import pytest
import yaml

from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.settings.base import SharedSettings, secret_variables
from tests.support.deployment.manifests import K8S, Manifests, Object, containers, labels, pod, port_number, selects

DOCS: Final = K8S.parents[1] / "docs"
PROMETHEUS: Final = K8S.parent / "prometheus"
OVERLAYS: Final = sorted(folder.name for folder in (K8S / "overlays").iterdir())
OLDEST: Final = "1.30"
"""The first version whose schema has `sleep` in `preStop`."""
SETTINGS: Final[dict[str, type[SharedSettings]]] = {
    "hookline-ingress": IngressSettings,
    "hookline-processor": ProcessorSettings,
}
NEEDED: Final = {"TWILIO_AUTH_TOKEN", "REDIS_URL", "HOOKLINE_LEDGER_URL"}
CUSTOM: Final = {
    "ScaledObject": "keda.sh/v1alpha1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
}


@pytest.fixture(scope="module", params=[*OVERLAYS, "processors-by-backlog"])
def manifests(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """Return every installation, and one with the component that no overlay has."""
    if request.param in OVERLAYS:
        return Manifests.of_overlay(request.param)
    return Manifests.of_components(tmp_path_factory.mktemp("overlay"), "ledger", "spool-volume", "gateway", request.param)


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_a_cluster_takes_them(manifests: Manifests, version: str) -> None:
    """Every object fits the schema of the oldest and the newest Kubernetes, without a field that it does not know."""
    for one in manifests.objects:
        if one["kind"] not in CUSTOM:
            kubernetes_validate.validate(one, version, strict=True)


def test_custom_objects_have_what_they_must(manifests: Manifests) -> None:
    """What has no schema here is of the version that its operator serves, and has the fields that it requires."""
    for one in manifests.of(*CUSTOM):
        assert one["apiVersion"] == CUSTOM[one["kind"]]
    for one in manifests.of("ScaledObject"):
        assert {"scaleTargetRef", "triggers"} <= one["spec"].keys()
        assert all({"type", "metadata"} <= trigger.keys() for trigger in one["spec"]["triggers"])
        assert all(isinstance(value, str) for trigger in one["spec"]["triggers"] for value in trigger["metadata"].values())
    for one in manifests.of("ServiceMonitor"):
        assert {"selector", "endpoints"} <= one["spec"].keys()


@pytest.mark.parametrize("names", [("autoscaling", "spool-volume"), ("spool-volume", "autoscaling"), ("autoscaling",)])
def test_what_is_scaled_is_there(names: tuple[str, ...], tmp_path: Path) -> None:
    """In whatever order components are listed, the HPA is of the workload that there is, and that has no number of its own."""
    manifests = Manifests.of_components(tmp_path, *names)
    (scaler,) = manifests.of("HorizontalPodAutoscaler")
    reference = scaler["spec"]["scaleTargetRef"]
    workload = manifests.get(reference["kind"], reference["name"])
    assert "replicas" not in workload["spec"]
    assert reference["kind"] == ("StatefulSet" if "spool-volume" in names else "Deployment")


def test_pods_are_spread_by_revision(manifests: Manifests) -> None:
    """An update does not put all its pods where those that it ends are not."""
    for workload in manifests.workloads():
        key = {"Deployment": "pod-template-hash", "StatefulSet": "controller-revision-hash"}.get(workload["kind"])
        for constraint in pod(workload).get("topologySpreadConstraints", ()):
            assert constraint["matchLabelKeys"] == [key]


def test_every_pod_that_stays_has_a_budget(manifests: Manifests) -> None:
    """Whoever drains a node ends no more of them at a time than may go."""
    budgets = [one["spec"]["selector"] for one in manifests.of("PodDisruptionBudget")]
    for workload in manifests.of("Deployment", "StatefulSet"):
        assert any(selects(selector, labels(workload)) for selector in budgets), workload["metadata"]["name"]


def test_priorities_exist(manifests: Manifests) -> None:
    """A pod of a class that is not there is refused."""
    made = {one["metadata"]["name"] for one in manifests.of("PriorityClass")}
    assert {name for workload in manifests.workloads() if (name := pod(workload).get("priorityClassName"))} <= made


def test_every_component_is_used(tmp_path: Path) -> None:
    """No component is left out of these tests."""
    used = {Path(name).name for overlay in OVERLAYS for name in _components(overlay)}
    assert used | {"processors-by-backlog", "gateway"} == {folder.name for folder in (K8S / "components").iterdir()}


def _components(overlay: str) -> list[str]:
    lines = (K8S / "overlays" / overlay / "kustomization.yaml").read_text().splitlines()
    return [line.split()[1] for line in lines if line.strip().startswith("- ../../components/")]


def test_pods_are_locked_up(manifests: Manifests) -> None:
    """Not root, no privileges, nothing writable but volumes, fewer system calls, no token, no service links."""
    for workload in manifests.workloads():
        spec = pod(workload)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        for container in containers(workload):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


def test_secrets_are_references(manifests: Manifests) -> None:
    """No secret is in the manifests, and each pod gets only those that it needs."""
    assert not manifests.of("Secret")
    wanted = {
        "hookline-ingress": {"hookline-twilio", "hookline-redis", "hookline-alerts", "hookline-admin"},
        "hookline-processor": {
            "hookline-redis",
            "hookline-database",
            "hookline-alerts",
            "hookline-admin",
            "hookline-sender",
            "hookline-forward",
        },
        "hookline-migrate": {"hookline-database-owner"},
        "hookline-redis": {"hookline-redis"},
    }
    for workload in manifests.workloads():
        named = [one for container in containers(workload) for one in container.get("env", ())]
        secrets = {one["valueFrom"]["secretKeyRef"]["name"] for one in named}
        assert secrets <= wanted[workload["metadata"]["name"]]


def test_secrets_are_no_arguments(manifests: Manifests) -> None:
    """No variable is put into a command, where whoever lists the processes would read it."""
    for workload in manifests.workloads():
        for container in containers(workload):
            assert not [word for word in (*container["command"], *container.get("args", ())) if "$" in word]


def test_documented_secrets_are_those_that_pods_want() -> None:
    """docs/kubernetes.md makes every Secret of the production overlay, with all keys that it is asked for, from files alone."""
    wanted = {
        (one["valueFrom"]["secretKeyRef"]["name"], one["valueFrom"]["secretKeyRef"]["key"])
        for workload in Manifests.of_overlay("production").workloads()
        for container in containers(workload)
        for one in container.get("env", ())
    }
    page = (DOCS / "kubernetes.md").read_text()
    files = re.findall(r"^editor \$secrets/([a-z-]+)\.env +# (.+)$", page, re.MULTILINE)
    assert {(f"hookline-{name}", key) for name, keys in files for key in re.findall(r"\b([A-Z_]+)=", keys)} == wanted
    assert not [one for one in DOCS.glob("*.md") if "--from-literal" in one.read_text()]


@pytest.mark.parametrize(("name", "settings"), SETTINGS.items())
def test_every_secret_setting_comes_from_a_secret(name: str, settings: type[SharedSettings]) -> None:
    """None is forgotten, and those without which the service can do something need not be there."""
    (container,) = pod(Manifests.of_overlay("production").workload(name))["containers"]
    found = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"]}
    assert found.keys() == {*secret_variables(settings)}
    assert all(one["key"] == variable for variable, one in found.items())
    assert {variable for variable, one in found.items() if not one.get("optional")} <= NEEDED


def test_everything_selects_something(manifests: Manifests) -> None:
    """Services, budgets and policies are about pods that exist, and about ports that those have."""
    pods = [(labels(workload), pod(workload)["containers"][0]) for workload in manifests.workloads()]
    for service in manifests.of("Service"):
        (container,) = [one for own, one in pods if service["spec"]["selector"].items() <= own.items()]
        assert [port_number(container, port["targetPort"]) for port in service["spec"]["ports"]]
    for budget in manifests.of("PodDisruptionBudget"):
        assert any(selects(budget["spec"]["selector"], own) for own, _ in pods)
    for policy in manifests.of("NetworkPolicy"):
        selected = [one for own, one in pods if selects(policy["spec"]["podSelector"], own)]
        assert selected
        named = [port["port"] for rule in policy["spec"].get("ingress", ()) for port in rule["ports"]]
        assert all(port_number(container, port) for container in selected for port in named)


def test_whatever_is_not_named_is_refused(manifests: Manifests) -> None:
    """One policy is about all pods, in both directions, and lets nothing in."""
    policy = manifests.get("NetworkPolicy", "hookline-nothing-else")["spec"]
    assert all(selects(policy["podSelector"], labels(workload)) for workload in manifests.workloads())
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy


def test_what_is_scaled_has_no_number(manifests: Manifests) -> None:
    """An autoscaler's target exists, and the manifest does not set back what the autoscaler decides."""
    for scaler in manifests.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        found = manifests.get(target["kind"], target["name"])
        assert found["apiVersion"] == target["apiVersion"]
        assert "replicas" not in found["spec"]


def scraped() -> tuple[Object, list[Object]]:
    """Return the ServiceMonitor, and the Services that it finds."""
    manifests = Manifests.of_overlay("production")
    (monitor,) = manifests.of("ServiceMonitor")
    return monitor["spec"], [
        one for one in manifests.of("Service") if selects(monitor["spec"]["selector"], one["metadata"]["labels"])
    ]


def test_every_metrics_port_is_scraped() -> None:
    """The ServiceMonitor finds the admin ports of both services."""
    monitor, found = scraped()
    (endpoint,) = monitor["endpoints"]
    ports = {port["targetPort"] for one in found for port in one["spec"]["ports"] if port["name"] == endpoint["port"]}
    assert {one["spec"]["selector"]["app.kubernetes.io/name"] for one in found} == {"hookline-ingress", "hookline-processor"}
    assert ports == {"admin"}


def test_jobs_are_called_as_the_rules_call_them() -> None:
    """What is scraped here has the job names of prometheus.yml, by which rules and dashboards tell the services apart."""
    monitor, found = scraped()
    jobs = {one["metadata"]["labels"][monitor["jobLabel"]] for one in found}
    configured = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    assert jobs == {one["job_name"] for one in configured}
    rules = "".join(file.read_text() for file in (PROMETHEUS / "rules").iterdir())
    assert jobs == set(re.findall(r'job="([^"]+)"', rules))
