"""The life of an ingress pod, played with a container: probes, stop, rights and volume of its manifest, without a cluster."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from secrets import token_hex
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from tests.acceptance.support.stack import PUBLIC_URL, Load, Stack
from tests.support.deployment.manifests import Manifests, Object, pod
from tests.support.waiting import until

pytestmark = [
    pytest.mark.skipif("HOOKLINE_TEST_COMPOSE" not in os.environ, reason="containers take minutes: make test-compose"),
    pytest.mark.timeout(600),
]


def manifests() -> Manifests:
    """Return the manifests; not at once, since the tests may not be wanted."""
    return Manifests.of_overlay("small")


def spec() -> Object:
    """Return what the manifests say of an ingress pod."""
    return pod(manifests().workload("hookline-ingress"))


def container() -> Object:
    """Return what they say of its container."""
    (found,) = spec()["containers"]
    return dict(found)


def docker(*words: str) -> str:
    """Run docker, which must succeed; return what it prints."""
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.strip()


class Pod:
    """A container as the kubelet would make it, in the network of `stack`, with a volume for the spool."""

    def __init__(self, stack: Stack, volume: str) -> None:
        self._token = stack.token
        variables = dict(manifests().environment(container())) | {"PUBLIC_URL": PUBLIC_URL, "TWILIO_AUTH_TOKEN": stack.token}
        variables |= {"REDIS_URL": stack.secret("redis_url"), "INGRESS_WRITE_BUDGET_MS": "5000", "HOOKLINE_CONFIG": ""}
        wanted = {name: value for name, value in variables.items() if name not in ("TWILIO_SHARED_KEYS", "ALERT_URL")}
        user = f"{spec()['securityContext']['runAsUser']}:{spec()['securityContext']['runAsGroup']}"
        rights = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", user, "--tmpfs", "/tmp"]
        limits = ["--memory", container()["resources"]["limits"]["memory"].removesuffix("i")]
        place = ["--network", f"{stack.project}_inside", "--volume", f"{volume}:/var/lib/hookline"]
        settings = [word for name, value in wanted.items() for word in ("--env", f"{name}={value}")]
        self.name = docker(
            "run", "--detach", *rights, *limits, *place, *settings, f"{stack.project}:current", *container()["command"]
        )
        self.address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name)

    def passes(self, probe: str) -> bool:
        """Whether a probe of the manifest succeeds."""
        asked = container()[probe]
        port = {one["name"]: one["containerPort"] for one in container()["ports"]}[asked["httpGet"]["port"]]
        url = f"http://{self.address}:{port}{asked['httpGet']['path']}"
        with suppress(HTTPError, URLError, OSError), urlopen(url, timeout=asked["timeoutSeconds"]) as answer:
            return bool(answer.status == 200)
        return False

    async def becomes_ready(self) -> None:
        """Wait until it has started and is ready, as the kubelet does."""
        await until(lambda: self.passes("startupProbe"), "the pod has started")
        await until(lambda: self.passes("readinessProbe"), "the pod is ready")

    def receives(self, times: int, rate: int) -> Load:
        """Begin to send webhooks to it."""
        words = [
            "send",
            "message",
            "--via",
            f"http://{self.address}:8080",
            "--json",
            "--times",
            str(times),
            "--rate",
            str(rate),
        ]
        return Load([*words, "--senders", "100"], {"TWILIO_AUTH_TOKEN": self._token, "PUBLIC_URL": PUBLIC_URL})

    def remove(self) -> None:
        """Be gone at once, as with a node."""
        subprocess.run(["docker", "rm", "--force", self.name], capture_output=True, check=False)


@pytest.fixture
def volume(stack: Stack) -> Iterator[str]:
    """Yield a volume that the pod's user may write to, as fsGroup makes it."""
    name = f"{stack.project}-{token_hex(3)}"
    docker("volume", "create", name)
    group = f"chgrp {spec()['securityContext']['fsGroup']} /v && chmod 2775 /v"
    docker("run", "--rm", "--volume", f"{name}:/v", "python:3.13-slim-trixie", "sh", "-c", group)
    yield name
    docker("volume", "rm", "--force", name)


@pytest.fixture
def pods(stack: Stack, volume: str) -> Iterator[Any]:
    """Yield what makes a pod."""
    made: list[Pod] = []

    def make() -> Pod:
        made.append(Pod(stack, volume))
        return made[-1]

    yield make
    for one in made:
        one.remove()


def state(one: Pod) -> Object:
    found: Object = {}
    text = docker("inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", one.name)
    found["code"], found["killed"] = text.split()
    return found


async def test_pod_that_is_deleted_loses_nothing(stack: Stack, pods: Any) -> None:
    """It starts, is ready, serves on while preStop waits, and ends in order within its time."""
    rows = stack.rows()
    one = pods()
    await one.becomes_ready()
    assert one.passes("livenessProbe")
    load = one.receives(times=500, rate=100)
    outcome = await asyncio.to_thread(load.outcome)  # the webhooks that still come while preStop waits
    assert outcome["answers"] == {"200": 500}
    assert one.passes("readinessProbe")
    stop_s = spec()["terminationGracePeriodSeconds"] - container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    await asyncio.to_thread(docker, "stop", "--time", str(stop_s), one.name)
    assert state(one) == {"code": "0", "killed": "false"}
    await until(lambda: stack.rows() - rows == 500, "every one is in the ledger")


async def test_spool_moves_to_the_next_pod(stack: Stack, pods: Any) -> None:
    """Redis is away and the node dies: what was acknowledged is on the volume, and the next pod delivers it."""
    rows = stack.rows()
    one = pods()
    await one.becomes_ready()
    stack.compose("stop", "--timeout", "5", "redis")
    outcome = await asyncio.to_thread(one.receives(times=300, rate=100).outcome)
    assert outcome["answers"] == {"200": 300}
    assert one.passes("readinessProbe")
    assert one.passes("livenessProbe")
    one.remove()
    stack.compose("up", "--detach", "--no-deps", "--wait", "redis")
    await pods().becomes_ready()
    await until(lambda: stack.rows() - rows == 300, "every one is in the ledger")
