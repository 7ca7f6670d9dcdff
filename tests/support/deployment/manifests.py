"""The Kubernetes manifests, built by kustomize as `kubectl apply -k` would."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

K8S: Final = Path(__file__).parents[3] / "deploy" / "k8s"
_KUBECTL: Final = Path(sys.executable).with_name("kubectl")

Object = dict[str, Any]


@dataclass(frozen=True)
class Manifests:
    """The objects of one installation."""

    objects: tuple[Object, ...]

    @classmethod
    @cache
    def of_overlay(cls, name: str) -> "Manifests":
        """Build an overlay, once for all tests: its sources do not change."""
        return cls.built(K8S / "overlays" / name)

    @classmethod
    def of_components(cls, folder: Path, *names: str) -> "Manifests":
        """Build the base with components, in an overlay of its own in `folder`."""
        components = [os.path.relpath(K8S / "components" / name, folder) for name in names]
        made = {"namespace": "hookline", "resources": [os.path.relpath(K8S / "base", folder)], "components": components}
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(made))
        return cls.built(folder)

    @classmethod
    def built(cls, folder: Path) -> "Manifests":
        """Build the kustomization in `folder`."""
        made = subprocess.run([_KUBECTL, "kustomize", folder.resolve()], check=False, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        return cls(tuple(yaml.safe_load_all(made.stdout)))

    def of(self, *kinds: str) -> list[Object]:
        """Return the objects of some kinds."""
        return [one for one in self.objects if one["kind"] in kinds]

    def get(self, kind: str, name: str) -> Object:
        """Return one object."""
        (found,) = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        return found

    def workloads(self) -> list[Object]:
        """Return every object that creates pods."""
        return [one for one in self.objects if "template" in one.get("spec", {})]

    def workload(self, name: str) -> Object:
        """Return the object that creates the pods of that name."""
        (found,) = [one for one in self.workloads() if one["metadata"]["name"] == name]
        return found

    def environment(self, container: Object) -> Iterator[tuple[str, str]]:
        """Yield the variables of a container, those from Secrets by the name of the Secret."""
        for source in container.get("envFrom", ()):
            yield from self.get("ConfigMap", source["configMapRef"]["name"])["data"].items()
        for one in container.get("env", ()):
            yield one["name"], one["valueFrom"]["secretKeyRef"]["name"]


def pod(workload: Object) -> Object:
    """Return the spec of its pods."""
    found: Object = workload["spec"]["template"]["spec"]
    return found


def containers(workload: Object) -> list[Object]:
    """Return the containers of its pods, those that run before the others included."""
    return [*pod(workload).get("initContainers", ()), *pod(workload)["containers"]]


def labels(workload: Object) -> dict[str, str]:
    """Return the labels of its pods."""
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def selects(selector: Mapping[str, Any], pod_labels: Mapping[str, str]) -> bool:
    """Whether a selector, of the form that has `matchLabels`, selects such pods."""
    equal = selector.get("matchLabels", {}).items() <= pod_labels.items()
    return equal and all(pod_labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", ()))


def port_number(container: Object, port: str | int) -> int:
    """Return the number of a port that may be given by name."""
    (number,) = {one["containerPort"] for one in container["ports"] if port in (one["name"], one["containerPort"])}
    return int(number)
