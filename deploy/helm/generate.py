"""Write the chart from the manifests of kustomize: `python deploy/helm/generate.py [FOLDER]`, or `make chart`.

What a pod may do, its probes, policies and comments' reasons are thought out once, in deploy/k8s. The chart is the same objects
with values in the places that differ from one installation to the next. Its objects have fixed names, so that there is one
installation in a namespace, and Secrets are made by people or by an operator, as docs/kubernetes.md says.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

sys.path.insert(0, str(Path(__file__).parent))

from markup import entries_if, keys_if, template, template_if
from values import Value, chart_values, values_file, values_schema, values_table

Object = dict[str, Any]

ROOT: Final = Path(__file__).parents[2]
K8S: Final = ROOT / "deploy" / "k8s"
CHART: Final = Path(__file__).parent / "hookline"
KUBECTL: Final = Path(sys.executable).with_name("kubectl")
PAGE: Final = ROOT / "docs" / "helm.md"
MADE_OF: Final = "hookline/made-of"
HASH: Final = re.compile(r"(hookline-(?:settings|config|redis-files))-[a-z0-9]{10}\b")
OWN_VALUES: Final = ("PUBLIC_URL", "INGRESS_TRUSTED_PROXIES", "PROCESSOR_HANDLERS")
SPOOLED: Final = ".Values.spool.volume.enabled"
SCALED: Final = ".Values.ingress.autoscaling.enabled"
IMAGE: Final = """{{- define "hookline.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ $tag }}{{ end }}
{{- end }}
"""
CONDITIONS: Final = {
    "autoscaling": SCALED,
    "gateway": 'eq .Values.route.kind "gateway"',
    "ledger": ".Values.ledger.enabled",
    "monitoring": ".Values.serviceMonitor.enabled",
    "priority": ".Values.priorityClasses.enabled",
    "processors-by-backlog": 'eq .Values.processor.autoscaling.by "backlog"',
    "processors-by-prometheus": 'eq .Values.processor.autoscaling.by "prometheus"',
    "public": 'eq .Values.route.kind "ingress"',
    "redis": ".Values.redis.enabled",
}


def main() -> None:
    """Write the chart into the folder that is named; without a name, into its own, and its values into the documentation."""
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]))
    else:
        values = write(CHART)
        text, _, _ = PAGE.read_text().partition("| value |")
        PAGE.write_text(text + values_table(values))


def write(folder: Path) -> list[Value]:
    """Write the chart into `folder`; return its values."""
    base = build()
    settings = next(one["data"] for one in base if one["metadata"]["name"] == "hookline-settings")
    resources = {name: container(workload(base, f"hookline-{name}"))["resources"] for name in ("ingress", "processor")}
    own = {name: text for name, text in settings.items() if name not in OWN_VALUES}
    (rule,) = (one for one in build("public") if one["kind"] == "Ingress")
    values = chart_values(own, resources, rule["metadata"]["annotations"])
    files = templates(base)
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / "templates" / f"{name}.yaml").write_text(text)
    (folder / "templates" / "_image.tpl").write_text(IMAGE)
    (folder / "values.yaml").write_text(values_file(values))
    (folder / "values.schema.json").write_text(json.dumps(values_schema(values), indent=2) + "\n")
    (folder / "Chart.yaml").write_text(chart_file())
    return values


def chart_file() -> str:
    """Return Chart.yaml, with the version of the project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    made = {"apiVersion": "v2", "name": "hookline", "version": project["version"], "appVersion": project["version"]}
    more = {"description": project["description"], "type": "application", "kubeVersion": ">=1.30.0-0"}
    return yaml.safe_dump(made | more | {"annotations": {MADE_OF: digest_of_sources()}}, sort_keys=False, width=1000)


def digest_of_sources() -> str:
    """Return the digest of everything that the chart is made of, by which a chart that is out of date can be told."""
    sources = [*K8S.glob("base/*"), *K8S.glob("components/*/*"), *Path(__file__).parent.glob("*.py")]
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.read_bytes())
    return digest.hexdigest()


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


def templates(base: list[Object]) -> dict[str, str]:
    """Return the text of each template, by the name of its file."""
    known = {identity(one) for one in base}
    parts = {"base": [("", one) for one in base if one["kind"] not in ("ConfigMap", "NetworkPolicy")]}
    parts["network-policies"] = [("", one) for one in base if one["kind"] == "NetworkPolicy"]
    parts["spool-volume"] = [("", workload(build("spool-volume"), "hookline-ingress"))]
    for name, condition in CONDITIONS.items():
        parts[name] = [(condition, one) for one in build(name) if identity(one) not in known]
    texts = {
        name: "---\n".join(template_if(*as_template(condition, one)) for condition, one in found)
        for name, found in parts.items()
    }
    return texts | {"settings": settings_template()}


def settings_template() -> str:
    """Return the ConfigMaps of settings and of hookline.toml."""
    settings = """apiVersion: v1
kind: ConfigMap
metadata:
  name: hookline-settings
  labels:
    app.kubernetes.io/part-of: hookline
data:
  PUBLIC_URL: {{ .Values.publicUrl | quote }}
  INGRESS_TRUSTED_PROXIES: {{ .Values.trustedProxies | quote }}
  {{- with .Values.handlers }}
  PROCESSOR_HANDLERS: {{ . | quote }}
  {{- end }}
  {{- range $name, $value := .Values.settings }}
  {{ $name }}: {{ $value | toString | quote }}
  {{- end }}
"""
    config = """apiVersion: v1
kind: ConfigMap
metadata:
  name: hookline-config
  labels:
    app.kubernetes.io/part-of: hookline
data:
  hookline.toml: {{ .Values.config | quote }}
"""
    return settings + "---\n" + config


def as_template(condition: str, made: Object) -> tuple[str, str]:
    """Return the condition of an object, and the object as a template."""
    one = deepcopy(made)
    kind, name = identity(one)
    if "template" in one.get("spec", {}):
        fill_pods(one)
    if name == "hookline-ingress" and kind in ("Deployment", "StatefulSet"):
        condition = SPOOLED if kind == "StatefulSet" else f"not {SPOOLED}"
        fill_ingress(one)
    elif (kind, name) == ("Deployment", "hookline-processor"):
        fill_processor(one)
    elif (kind, name) == ("Job", "hookline-migrate"):
        one["metadata"]["annotations"] = {
            "helm.sh/hook": "post-install,pre-upgrade",
            "helm.sh/hook-delete-policy": "before-hook-creation",
        }
    elif kind == "NetworkPolicy":
        condition = f"and .Values.networkPolicies.enabled ({condition})" if condition else ".Values.networkPolicies.enabled"
        fill_policy(one)
    elif kind in FILLS:
        FILLS[kind](one)
    return condition, template(one)


def fill_pods(made: Object) -> None:
    """Put values into pods: the image, and what tells that settings have changed."""
    spec = made["spec"]["template"]["spec"]
    for one in [*spec.get("initContainers", ()), *spec["containers"]]:
        if one["image"] == "hookline":
            one["image"] = '@{include "hookline.image" .}'
    if container(made)["image"].startswith("@"):
        spec |= keys_if(".Values.image.pullSecrets", {"imagePullSecrets": "@yaml{.Values.image.pullSecrets}"})
        digest = '@{include (print $.Template.BasePath "/settings.yaml") . | sha256sum}'
        made["spec"]["template"]["metadata"]["annotations"] = {"checksum/settings": digest}
    if made["kind"] != "Job":
        priority = "hookline-processor" if made["metadata"]["name"] == "hookline-processor" else "hookline-ingress"
        spec |= keys_if(CONDITIONS["priority"], {"priorityClassName": priority})


def fill_ingress(made: Object) -> None:
    """Put the values of ingress into its workload."""
    spec = made["spec"]
    del spec["replicas"]
    spec |= keys_if(f"not {SCALED}", {"replicas": "@raw{.Values.ingress.replicas}"})
    container(made)["resources"] = "@yaml{.Values.ingress.resources}"
    for claim in spec.get("volumeClaimTemplates", ()):
        claim["spec"]["resources"]["requests"]["storage"] = "@{.Values.spool.volume.size}"
        name = ".Values.spool.volume.storageClassName"
        claim["spec"] |= keys_if(name, {"storageClassName": f"@{{{name}}}"})


def fill_processor(made: Object) -> None:
    """Put the values of the processor into its workload, and the database if there is a ledger."""
    spec = made["spec"]
    del spec["replicas"]
    spec |= keys_if("not .Values.processor.autoscaling.by", {"replicas": "@raw{.Values.processor.replicas}"})
    own = container(made)
    own["resources"] = "@yaml{.Values.processor.resources}"
    with_ledger = container(workload(build("ledger"), "hookline-processor"))["env"]
    own["env"] += entries_if(CONDITIONS["ledger"], [one for one in with_ledger if one not in own["env"]])


def fill_policy(made: Object) -> None:
    """Put the namespaces of others into a policy."""
    name = made["metadata"]["name"]
    if name == "hookline-webhooks":
        source = made["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"]
        source["kubernetes.io/metadata.name"] = "@{.Values.networkPolicies.webhooksFrom}"
    if name == "hookline-admin":
        source = made["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchExpressions"][0]
        source["values"] = "@yaml{.Values.networkPolicies.adminFrom}"


def fill_scaler(made: Object) -> None:
    """Put values into the HPA of ingress."""
    spec = made["spec"]
    spec["scaleTargetRef"]["kind"] = f'@{{ternary "StatefulSet" "Deployment" {SPOOLED}}}'
    spec["minReplicas"] = "@raw{.Values.ingress.autoscaling.minReplicas}"
    spec["maxReplicas"] = "@raw{.Values.ingress.autoscaling.maxReplicas}"


def fill_scaled_object(made: Object) -> None:
    """Put values into what KEDA scales processors by."""
    spec = made["spec"]
    spec["minReplicaCount"] = "@raw{.Values.processor.autoscaling.minReplicas}"
    spec["maxReplicaCount"] = "@raw{.Values.processor.autoscaling.maxReplicas}"
    asked = spec["triggers"][0]["metadata"]
    if "url" in asked:
        asked["url"] = asked["url"].replace(".hookline.svc", ".@{.Release.Namespace}.svc")
    else:
        asked["serverAddress"] = "@{.Values.processor.autoscaling.prometheus}"
        asked["query"] = asked["query"].replace('"hookline"', '"@{.Release.Namespace}"')


def fill_rule(made: Object) -> None:
    """Put values into the Ingress."""
    made["metadata"]["annotations"] = "@yaml{.Values.route.annotations}"
    spec = made["spec"]
    spec["ingressClassName"] = "@{.Values.route.className}"
    spec["tls"] = [{"hosts": ["@{.Values.route.host}"], "secretName": "@{.Values.route.tlsSecret}"}]
    spec["rules"][0]["host"] = "@{.Values.route.host}"


def fill_route(made: Object) -> None:
    """Put values into the HTTPRoute."""
    made["spec"]["parentRefs"] = "@yaml{.Values.route.parentRefs}"
    made["spec"]["hostnames"] = ["@{.Values.route.host}"]


def fill_monitor(made: Object) -> None:
    """Put labels onto the ServiceMonitor."""
    made["metadata"]["labels"] = "@yaml{.Values.serviceMonitor.labels}"


FILLS: Final[Mapping[str, Any]] = {
    "HorizontalPodAutoscaler": fill_scaler,
    "ScaledObject": fill_scaled_object,
    "Ingress": fill_rule,
    "HTTPRoute": fill_route,
    "ServiceMonitor": fill_monitor,
}

if __name__ == "__main__":
    main()
