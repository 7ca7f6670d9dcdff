"""The values of the chart: one table, from which values.yaml, its schema and the table in the documentation are written."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

Schema = dict[str, Any]

STRING: Final[Schema] = {"type": "string"}
NAME: Final[Schema] = {"type": "string", "minLength": 1}
FLAG: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 1}
NAMES: Final[Schema] = {"type": "array", "items": NAME, "minItems": 1}
OBJECT: Final[Schema] = {"type": "object"}
OBJECTS: Final[Schema] = {"type": "array", "items": OBJECT}
SETTINGS: Final[Schema] = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Z][A-Z0-9_]*$"},
    "additionalProperties": {"type": ["string", "integer", "number", "boolean"]},
}


class Value(NamedTuple):
    """One value of the chart: its path, what it may be, its default, and what it does."""

    path: str
    schema: Schema
    default: Any
    meaning: str


def chart_values(settings: dict[str, str], resources: dict[str, Any], annotations: dict[str, str]) -> list[Value]:
    """Return the values of the chart. Settings, resources of both services and annotations are those of the base."""
    return [*_basics(settings), *_services(resources), *_stores(), *_surroundings(annotations)]


def _basics(settings: dict[str, str]) -> list[Value]:
    return [
        Value("image.repository", NAME, "registry.example.com/hookline", "Your image of Hookline, with your handlers"),
        Value("image.tag", STRING, "", "Its tag; by default the version of the chart"),
        Value(
            "image.digest",
            {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            "",
            "Its digest, which goes before the tag",
        ),
        Value("image.pullSecrets", OBJECTS, [], "Secrets for the registry: `[{name: ...}]`"),
        Value(
            "publicUrl",
            {"type": "string", "pattern": "^https?://"},
            "https://hooks.example.com",
            "The base URL that Twilio calls",
        ),
        Value("trustedProxies", STRING, "10.0.0.0/8", "Addresses of the pods of the ingress controller or gateway"),
        Value("handlers", STRING, "", "Your handlers, `module:attribute`; without them, events are logged and settled"),
        Value("settings", SETTINGS, settings, "Other settings of both services, by the names in settings.md. No secrets"),
        Value("config", STRING, "", "The content of `hookline.toml`: paths and topics"),
    ]


def _services(resources: dict[str, Any]) -> list[Value]:
    return [
        Value("ingress.replicas", COUNT, 2, "Ingress pods, if they are not scaled"),
        Value("ingress.resources", OBJECT, resources["ingress"], "Requests and limits of an ingress pod"),
        Value("ingress.autoscaling.enabled", FLAG, False, "Let an HPA scale ingress by its CPU use"),
        Value("ingress.autoscaling.minReplicas", COUNT, 2, "The fewest ingress pods"),
        Value("ingress.autoscaling.maxReplicas", COUNT, 10, "The most ingress pods"),
        Value("processor.replicas", COUNT, 2, "Processor pods, if they are not scaled"),
        Value("processor.resources", OBJECT, resources["processor"], "Requests and limits of a processor pod"),
        Value(
            "processor.autoscaling.by",
            {"enum": ["", "prometheus", "backlog"]},
            "",
            "Let KEDA scale processors, by a query to Prometheus or by the `/backlog` of a processor",
        ),
        Value("processor.autoscaling.minReplicas", COUNT, 2, "The fewest processor pods"),
        Value("processor.autoscaling.maxReplicas", COUNT, 8, "The most processor pods: no more than `HOOKLINE_PARTITIONS`"),
        Value(
            "processor.autoscaling.prometheus",
            NAME,
            "http://prometheus-operated.monitoring.svc:9090",
            "The address of Prometheus",
        ),
    ]


def _stores() -> list[Value]:
    return [
        Value(
            "spool.volume.enabled",
            FLAG,
            False,
            "A volume for each spool, so that it outlives its pod: ingress is a StatefulSet",
        ),
        Value("spool.volume.size", NAME, "2Gi", "The size of each volume"),
        Value("spool.volume.storageClassName", STRING, "", "Its storage class; by default the cluster's"),
        Value("ledger.enabled", FLAG, False, "The ledger in PostgreSQL, with a Job that migrates its tables"),
        Value("redis.enabled", FLAG, False, "A Redis with a volume beside the services. For production, use one with replicas"),
    ]


def _surroundings(annotations: dict[str, str]) -> list[Value]:
    return [
        Value(
            "route.kind",
            {"enum": ["", "ingress", "gateway"]},
            "",
            "How webhooks come in: an Ingress, an HTTPRoute, or your own way",
        ),
        Value("route.host", NAME, "hooks.example.com", "The host in `publicUrl`"),
        Value("route.className", STRING, "nginx", "The class of the Ingress"),
        Value("route.tlsSecret", STRING, "hookline-tls", "The Secret with the certificate of the Ingress"),
        Value("route.annotations", OBJECT, annotations, "Annotations of the Ingress, for your controller"),
        Value(
            "route.parentRefs",
            OBJECTS,
            [{"name": "public", "namespace": "gateways", "sectionName": "https"}],
            "The Gateway of the HTTPRoute",
        ),
        Value("networkPolicies.enabled", FLAG, True, "Refuse every connection that is not named"),
        Value("networkPolicies.webhooksFrom", NAME, "ingress-nginx", "The namespace of the ingress controller or gateway"),
        Value("networkPolicies.adminFrom", NAMES, ["monitoring", "keda"], "The namespaces that may ask the admin ports"),
        Value("serviceMonitor.enabled", FLAG, False, "A ServiceMonitor for the Prometheus operator"),
        Value("serviceMonitor.labels", OBJECT, {}, "Its labels, such as `release: prometheus`"),
        Value(
            "priorityClasses.enabled", FLAG, False, "Priority classes: ingress before processors, both before pods without one"
        ),
    ]


def values_file(values: list[Value]) -> str:
    """Return values.yaml: every value with its default, and what it does."""
    tree: dict[str, Any] = {}
    for value in values:
        _put(tree, value.path, value)
    lines = [
        "# The values of the chart. docs/helm.md describes them; values.schema.json says what they may be.",
        *_lines(tree, 0),
    ]
    return "\n".join(lines) + "\n"


def _lines(tree: dict[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, entry in tree.items():
        if isinstance(entry, Value):
            yield f"{indent}# {entry.meaning}."
            dumped = yaml.safe_dump({name: entry.default}, sort_keys=False, width=1000)
            yield from (f"{indent}{line}" for line in dumped.splitlines())
        else:
            yield f"{indent}{name}:"
            yield from _lines(entry, depth + 1)


def values_schema(values: list[Value]) -> Schema:
    """Return values.schema.json. A name that is not a value is a mistake."""
    tree: dict[str, Any] = {}
    for value in values:
        _put(tree, value.path, value.schema | {"description": value.meaning})
    schema = _object(tree)
    schema["properties"]["global"] = {"type": "object"}  # Helm's own
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}


def _object(tree: dict[str, Any]) -> Schema:
    properties = {name: entry if "description" in entry else _object(entry) for name, entry in tree.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def values_table(values: list[Value]) -> str:
    """Return the table of the documentation."""
    rows = [f"| `{one.path}` | {_shown(one.default)} | {one.meaning} |" for one in values]
    return "\n".join(["| value | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _shown(default: Any) -> str:
    if default in ("", [], {}):
        return ""
    return (
        "see values.yaml"
        if isinstance(default, dict | list)
        else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    )


def _put(tree: dict[str, Any], path: str, leaf: Any) -> None:
    *folders, name = path.split(".")
    for folder in folders:
        tree = tree.setdefault(folder, {})
    tree[name] = leaf
