"""Write the chart from the manifests of kustomize: `python deploy/helm/generate.py [FOLDER]`, or `make chart`.

What a pod may do, its probes, policies and comments' reasons are thought out once, in deploy/k8s. The chart is the same objects
with values in the places that differ from one installation to the next. Its objects have fixed names, so that there is one
installation in a namespace, and Secrets are made by people or by an operator, as docs/kubernetes.md says.
"""

import hashlib
import json
import sys
import tomllib
from pathlib import Path
from typing import Final

import yaml

sys.path.insert(0, str(Path(__file__).parent))

from fills import CONDITIONS, as_template
from kustomized import K8S, Object, build, container, identity, workload
from markup import template_if
from values import Value, chart_values, values_file, values_schema, values_table

ROOT: Final = Path(__file__).parents[2]
CHART: Final = Path(__file__).parent / "hookline"
PAGE: Final = ROOT / "docs" / "helm.md"
MADE_OF: Final = "hookline/made-of"
OWN_VALUES: Final = ("PUBLIC_URL", "INGRESS_TRUSTED_PROXIES", "PROCESSOR_HANDLERS")
IMAGE: Final = """{{- define "hookline.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ $tag }}{{ end }}
{{- end }}
"""


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


if __name__ == "__main__":
    main()
