"""What the network policies of the Kubernetes manifests let through, as a network sees it for which pods have no addresses."""

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

import kubernetes_validate
import pytest
import yaml

from tests.support.deployment.manifests import Manifests, Object, labels, selects

PAGE: Final = Path(__file__).parents[3] / "docs" / "kubernetes.md"
REDIS, SENTINEL, POSTGRES, HTTPS, DNS, OPENSHIFT_DNS = 6379, 26379, 5432, 443, 53, 5353
SERVICES: Final = ("hookline-ingress", "hookline-processor")
NAMESPACE: Final = "kubernetes.io/metadata.name"
PUBLIC: Final = ("54.230.1.1", "2600:9000::1")
METADATA: Final = ("169.254.169.254", "fe80::1", "10.1.2.3", "172.20.0.1", "192.168.1.1", "fd00:ec2::254")
"""Where clouds hand out credentials, and addresses of a network of one's own."""


@pytest.fixture(scope="module", params=["small", "production"])
def manifests(request: pytest.FixtureRequest) -> Manifests:
    """Return what the overlays make."""
    return Manifests.of_overlay(request.param)


def allowed_egress(manifests: Manifests, name: str, port: int, *, without: str = "") -> Iterator[Object]:
    """Yield whom the pods of a workload may call on a port, by all policies but `without`."""
    for policy in manifests.of("NetworkPolicy"):
        spec = policy["spec"]
        if policy["metadata"]["name"] != without and selects(spec["podSelector"], labels(manifests.workload(name))):
            for rule in spec.get("egress", ()):
                if any(one["port"] == port for one in rule["ports"]):
                    yield from rule["to"]


def reaches_address(ways: Iterator[Object], address: str) -> bool:
    """Whether one of the ways leads to an address outside the cluster."""
    blocks = [one["ipBlock"] for one in ways if "ipBlock" in one]
    return any(
        ip_address(address) in ip_network(block["cidr"])
        and not any(ip_address(address) in ip_network(one) for one in block.get("except", ()))
        for block in blocks
    )


def reaches_namespace(ways: Iterator[Object], namespace: str) -> bool:
    """Whether one of the ways leads to all pods of a namespace."""
    chosen = [one["namespaceSelector"] for one in ways if one.keys() == {"namespaceSelector"}]
    return any(selects(one, {NAMESPACE: namespace}) for one in chosen)


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("port", [REDIS, SENTINEL])
def test_redis_is_reached_in_a_pod_and_outside(manifests: Manifests, name: str, port: int) -> None:
    """Redis may be in another namespace, and managed on a private address; a public one has to be named."""
    assert reaches_namespace(allowed_egress(manifests, name, port), "databases")
    assert reaches_address(allowed_egress(manifests, name, port), "10.1.2.3")
    assert not reaches_address(allowed_egress(manifests, name, port), PUBLIC[0])


@pytest.mark.parametrize("name", ["hookline-processor", "hookline-migrate"])
def test_database_is_reached_in_a_pod_and_outside(name: str) -> None:
    """PostgreSQL, likewise; ingress has no way there."""
    production = Manifests.of_overlay("production")
    assert reaches_namespace(allowed_egress(production, name, POSTGRES), "databases")
    assert reaches_address(allowed_egress(production, name, POSTGRES), "10.1.2.3")
    assert not list(allowed_egress(production, "hookline-ingress", POSTGRES))


@pytest.mark.parametrize("name", SERVICES)
def test_own_redis_is_reached_by_its_own_policy(name: str) -> None:
    """The component brings the way to its Redis along, whatever an overlay does to the base's."""
    small = Manifests.of_overlay("small")
    chosen = [
        one["podSelector"] for one in allowed_egress(small, name, REDIS, without="hookline-redis") if "podSelector" in one
    ]
    assert any(selects(one, labels(small.workload("hookline-redis"))) for one in chosen)


@pytest.mark.parametrize("name", SERVICES)
def test_alerts_and_handlers_reach_the_internet(manifests: Manifests, name: str) -> None:
    """Both services post alerts, and handlers call others, by HTTPS; nobody calls private addresses or a metadata service."""
    assert all(reaches_address(allowed_egress(manifests, name, HTTPS), address) for address in PUBLIC)
    assert not any(reaches_address(allowed_egress(manifests, name, HTTPS), address) for address in METADATA)


def test_names_can_be_asked_for(manifests: Manifests) -> None:
    """Every pod reaches the cluster's DNS where it usually is, the cache of its node, and OpenShift's."""
    for workload in manifests.workloads():
        name = workload["metadata"]["name"]
        assert reaches_namespace(allowed_egress(manifests, name, DNS), "kube-system")
        assert reaches_address(allowed_egress(manifests, name, DNS), "169.254.20.10")
        assert reaches_namespace(allowed_egress(manifests, name, OPENSHIFT_DNS), "openshift-dns")
        assert not reaches_namespace(allowed_egress(manifests, name, DNS), "databases")


def test_documented_policy_opens_what_it_says() -> None:
    """The policy to copy from docs/kubernetes.md is one that a cluster takes, and is about the pods of both services."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    policy = yaml.safe_load(text)
    kubernetes_validate.validate(policy, kubernetes_validate.latest_version(), strict=True)
    production = Manifests.of_overlay("production")
    added = Manifests((*production.objects, policy))
    for name in SERVICES:
        assert not list(allowed_egress(production, name, 6380))
        assert list(allowed_egress(added, name, 6380))
