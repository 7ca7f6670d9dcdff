"""Values in the places of the objects that differ from one installation to the next."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from kustomized import Object, build, container, identity, workload
from markup import entries_if, keys_if, template

SPOOLED: Final = ".Values.spool.volume.enabled"
SCALED: Final = ".Values.ingress.autoscaling.enabled"
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
