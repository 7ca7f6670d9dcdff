"""The life of an ingress pod, played with a container: probes, stop, rights and volume of its manifest, without a cluster."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import pytest

from tests.acceptance.support.stack import PUBLIC_URL, Stack
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
        self._token, self._image = stack.token, f"{stack.project}:current"
        variables = dict(manifests().environment(container())) | {"PUBLIC_URL": PUBLIC_URL, "TWILIO_AUTH_TOKEN": stack.token}
        variables |= {"REDIS_URL": stack.secret("redis_url"), "INGRESS_WRITE_BUDGET_MS": "5000", "HOOKLINE_CONFIG": ""}
        absent = {one["name"] for one in container()["env"] if one["valueFrom"]["secretKeyRef"].get("optional")}
        wanted = {name: value for name, value in variables.items() if name not in absent}
        user = f"{spec()['securityContext']['runAsUser']}:{spec()['securityContext']['runAsGroup']}"
        rights = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", user, "--tmpfs", "/tmp"]
        limits = ["--memory", container()["resources"]["limits"]["memory"].removesuffix("i")]
        place = ["--network", f"{stack.project}_inside", "--volume", f"{volume}:/var/lib/hookline"]
        settings = [word for name, value in wanted.items() for word in ("--env", f"{name}={value}")]
        self.name = docker("run", "--detach", *rights, *limits, *place, *settings, self._image, *container()["command"])

    def passes(self, probe: str) -> bool:
        """Whether a probe of the manifest succeeds."""
        asked = container()[probe]
        port = {one["name"]: one["containerPort"] for one in container()["ports"]}[asked["httpGet"]["port"]]
        url = f"http://127.0.0.1:{port}{asked['httpGet']['path']}"
        program = f"import urllib.request; urllib.request.urlopen({url!r}, timeout={asked['timeoutSeconds']})"
        return (
            subprocess.run(["docker", "exec", self.name, "python", "-c", program], capture_output=True, check=False).returncode
            == 0
        )

    async def becomes_ready(self) -> None:
        """Wait until it has started and is ready, as the kubelet does."""
        await until(lambda: self.passes("startupProbe"), "the pod has started")
        await until(lambda: self.passes("readinessProbe"), "the pod is ready")

    def receive(self, times: int) -> Object:
        """Send it webhooks from its own network, 100 per second; return what the sender reports."""
        words = ["--via", "http://127.0.0.1:8080", "--json", "--times", str(times), "--rate", "100", "--senders", "100"]
        settings = ["--env", f"TWILIO_AUTH_TOKEN={self._token}", "--env", f"PUBLIC_URL={PUBLIC_URL}"]
        sender = ["run", "--rm", "--network", f"container:{self.name}", *settings, self._image, "hookline", "send", "message"]
        found: Object = json.loads(docker(*sender, *words))
        return found

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
        print(subprocess.run(["docker", "logs", one.name], capture_output=True, text=True, check=False))  # seen if a test fails
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
    outcome = await asyncio.to_thread(one.receive, 500)  # the webhooks that still come while preStop waits
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
    outcome = await asyncio.to_thread(one.receive, 300)
    assert outcome["answers"] == {"200": 300}
    assert one.passes("readinessProbe")
    assert one.passes("livenessProbe")
    one.remove()
    stack.compose("up", "--detach", "--no-deps", "--wait", "redis")
    await pods().becomes_ready()
    await until(lambda: stack.rows() - rows == 300, "every one is in the ledger")
