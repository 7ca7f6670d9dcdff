"""The objects that kustomize makes of deploy/k8s."""

import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

Object = dict[str, Any]

K8S: Final = Path(__file__).parents[1] / "k8s"
KUBECTL: Final = Path(sys.executable).with_name("kubectl")
HASH: Final = re.compile(r"(hookline-(?:settings|config|redis-files))-[a-z0-9]{10}\b")


@cache
def build(*components: str) -> list[Object]:
    """Return the objects that kustomize makes of the base with components, without hashes in names and without a namespace."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        used = [os.path.relpath(K8S / "components" / component, folder) for component in components]
        made = {"resources": [os.path.relpath(K8S / "base", folder)], "components": used}
        Path(folder, "kustomization.yaml").write_text(yaml.safe_dump(made))
        done = subprocess.run([KUBECTL, "kustomize", folder], check=True, capture_output=True, text=True)  # noqa: S603 - ours
    found = [one for one in yaml.safe_load_all(HASH.sub(r"\1", done.stdout)) if one["kind"] != "Namespace"]
    for one in found:
        one["metadata"].pop("namespace", None)
        one["metadata"].setdefault("labels", {})["app.kubernetes.io/managed-by"] = "@{.Release.Service}"
    return found


def identity(made: Object) -> tuple[str, str]:
    """Return what tells an object from all others."""
    return made["kind"], made["metadata"]["name"]


def workload(objects: list[Object], name: str) -> Object:
    """Return the object with pods that is called `name`."""
    return next(one for one in objects if one["metadata"]["name"] == name and "template" in one.get("spec", {}))


def container(made: Object) -> Object:
    """Return the first container of its pods."""
    found: Object = made["spec"]["template"]["spec"]["containers"][0]
    return found
