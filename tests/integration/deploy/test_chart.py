"""The Helm chart: it is what its generator makes of the manifests, and Helm makes the same objects of it as kustomize does.

Helm itself is not installed with the other tools, so what renders is skipped without it: `make test-chart`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from hookline_cli.settings.rows import secrets
from tests.support.deployment.manifests import K8S, Manifests, Object

CHART: Final = K8S.parent / "helm" / "hookline"
GENERATOR: Final = CHART.parent / "generate.py"
PAGE: Final = K8S.parents[1] / "docs" / "helm.md"
WANTED: Final = "HOOKLINE_TEST_CHART"
CUSTOM: Final = {"ScaledObject", "ServiceMonitor", "HTTPRoute"}
ALL: Final[dict[str, Any]] = {
    "ingress": {"autoscaling": {"enabled": True}},
    "spool": {"volume": {"enabled": True}},
    "processor": {"autoscaling": {"by": "prometheus"}},
    "ledger": {"enabled": True},
    "serviceMonitor": {"enabled": True},
    "priorityClasses": {"enabled": True},
    "route": {"kind": "ingress"},
}
"""What the overlay `production` has."""
_HASH: Final = re.compile(r"(hookline-(?:settings|config|redis-files))-[a-z0-9]{10}\b")
SMALL: Final[dict[str, Any]] = {
    "redis": {"enabled": True},
    "route": {"kind": "gateway"},
    "processor": {"autoscaling": {"by": "backlog"}},
}
COMPONENTS: Final = {
    "nothing": ({}, ()),
    "small": (SMALL, ("redis", "gateway", "processors-by-backlog")),
    "all": (
        ALL,
        ("autoscaling", "spool-volume", "processors-by-prometheus", "ledger", "monitoring", "priority", "public"),
    ),
}

rendered = pytest.mark.skipif(WANTED not in os.environ, reason="Helm is not installed here: make test-chart")


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_chart_was_made_again() -> None:
    """Who changes a manifest, the generator or the version writes the chart again: `make chart`."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    program = f"import runpy; print(runpy.run_path({str(GENERATOR)!r})['chart_file']())"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert chart == yaml.safe_load(done.stdout)


@rendered
def test_chart_is_what_the_manifests_make(tmp_path: Path) -> None:
    """Nothing in it was written by hand."""
    subprocess.run([sys.executable, GENERATOR, tmp_path], check=True)
    assert files(tmp_path) == files(CHART)


def test_every_value_is_documented() -> None:
    """The table has every value, and no secret is one."""
    table = PAGE.read_text()
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = set(leaves(schema))
    assert len(values) > 30
    assert all(f"| `{value}` |" in table for value in values)
    assert table.count("\n| `") == len(values)
    settings = yaml.safe_load((CHART / "values.yaml").read_text())["settings"]
    assert not settings.keys() & set(secrets())


def leaves(schema: Object, path: str = "") -> Iterator[str]:
    """Yield the path of every value in a schema."""
    for name, entry in schema["properties"].items():
        if "description" in entry:
            yield f"{path}{name}"
        elif name != "global":
            yield from leaves(entry, f"{path}{name}.")


def render(values: dict[str, Any]) -> list[Object]:
    """Return the objects that Helm makes."""
    helm_python = import_module("helm_python")
    with helm_python.Chart.load(CHART) as chart:
        texts = chart.render(values, name="hookline", namespace="hookline").values()
    return [one for text in texts for one in yaml.safe_load_all(text) if one]


@rendered
@pytest.mark.parametrize("name", COMPONENTS)
def test_helm_makes_the_objects_of_kustomize(name: str, tmp_path: Path) -> None:
    """With the same choice, both are the same, but for what says who made them, and for the names of settings."""
    values, components = COMPONENTS[name]
    ours = {identity(one): bare(one) for one in render(values) if one["kind"] != "ConfigMap"}
    theirs = {
        identity(one): bare(one)
        for one in Manifests.of_components(tmp_path, *components).objects
        if one["kind"] not in ("ConfigMap", "Namespace")
    }
    assert ours.keys() == theirs.keys()
    for key, one in theirs.items():
        assert ours[key] == one, key


def identity(one: Object) -> tuple[str, str]:
    return one["kind"], one["metadata"]["name"]


def bare(one: Object) -> Object:
    """Return an object without what differs on purpose."""
    text = yaml.safe_dump(one).replace("registry.example.com/hookline:0.1.0", "hookline")
    made: Object = yaml.safe_load(_HASH.sub(r"\1", text))
    made["metadata"].pop("namespace", None)
    made["metadata"].pop("annotations", None)
    made["metadata"].get("labels", {}).pop("app.kubernetes.io/managed-by", None)
    template = made["spec"].get("template") if "spec" in made else None
    if template:
        template["metadata"].pop("annotations", None)
        for container in template["spec"]["containers"]:
            container["resources"]["requests"].pop("ephemeral-storage", None)  # one value, with a volume or without
    if not made["metadata"].get("labels"):
        made["metadata"].pop("labels", None)
    return made


@rendered
@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize("version", ["1.30", kubernetes_validate.latest_version()])
def test_a_cluster_takes_what_helm_makes(name: str, version: str) -> None:
    """Every object fits the schema of the oldest and the newest Kubernetes."""
    for one in render(COMPONENTS[name][0]):
        if one["kind"] not in CUSTOM:
            kubernetes_validate.validate(one, version, strict=True)


@rendered
@pytest.mark.parametrize(
    "wrong",
    [
        {"replicas": 3},
        {"ingress": {"replicas": "two"}},
        {"route": {"kind": "nginx"}},
        {"publicUrl": "hooks.example.com"},
        {"settings": {"log_level": "info"}},
        {"image": {"digest": "latest"}},
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    """A misspelled name or a value of another kind is an error before anything is made."""
    helm_python = import_module("helm_python")
    with helm_python.Chart.load(CHART) as chart, pytest.raises(helm_python.HelmError):
        chart.validate_schema(wrong)


@rendered
def test_changed_settings_make_new_pods() -> None:
    """Pods have the digest of the settings, so that a changed one is a rolling update."""

    def digests(values: dict[str, Any]) -> set[str]:
        pods = [one["spec"]["template"]["metadata"] for one in render(values) if one["kind"] == "Deployment"]
        return {pod["annotations"]["checksum/settings"] for pod in pods}

    assert len(digests({})) == 1
    assert digests({}).isdisjoint(digests({"settings": {"LOG_LEVEL": "debug"}}))
    (settings,) = (
        one for one in render({"settings": {"LOG_LEVEL": "debug"}}) if one["metadata"]["name"] == "hookline-settings"
    )
    assert settings["data"]["LOG_LEVEL"] == "debug"
    assert settings["data"]["HOOKLINE_PARTITIONS"] == "8"


@rendered
def test_helm_finds_nothing_wrong() -> None:
    """`helm lint` has no error and no warning."""
    helm_python = import_module("helm_python")
    found = helm_python.lint(CHART)
    assert found["errors"] == []
    assert all(message["severity"] <= 1 for message in found["messages"]), found  # information
