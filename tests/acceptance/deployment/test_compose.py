"""compose.yaml and deploy/deploy.sh in real containers: `make test-compose`, which takes minutes; no part of `make test`."""

import os
import re
import signal
import socket
from pathlib import Path
from secrets import token_hex

import pytest

from tests.acceptance.support.stack import Stack, missing_docker, never_ready
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.waiting import until

_WANTED = "HOOKLINE_TEST_COMPOSE"
RATE = int(os.environ.get("HOOKLINE_COMPOSE_RATE", "200"))
LOAD_S = int(os.environ.get("HOOKLINE_COMPOSE_LOAD_S", "90"))
INGRESS, PROCESSOR = (f"$(echo /opt/hookline/lib/python3.*/site-packages)/hookline_{name}" for name in ("ingress", "processor"))
CRASHING = f"echo 'raise RuntimeError(\"broken on purpose\")' > {INGRESS}/app.py"
UNREADY = never_ready("redis.monitor.check", f"{PROCESSOR}/health_checks.py")
COMPILED = f"{INGRESS}/__pycache__ {PROCESSOR}/__pycache__"

pytestmark = [
    pytest.mark.skipif(_WANTED not in os.environ, reason="containers take minutes: make test-compose"),
    pytest.mark.timeout(900),
]


def test_comes_up_from_a_clean_clone(tmp_path: Path) -> None:
    """Nothing but `make up`: no .env, no secret, no command before it; and a smoke test passes."""
    if reason := missing_docker():
        pytest.skip(f"NOTHING OF COMPOSE IS TESTED: {reason}")
    stack = Stack(tmp_path / "hookline")
    (stack.folder / ".env").unlink()
    try:
        done = stack.run("deploy/deploy.sh", "up")
        assert done.returncode == 0, done.stdout
        done = stack.run("deploy/deploy.sh", "smoke")
        assert done.returncode == 0, done.stdout
    finally:
        stack.down()


async def test_rolling_deployment_loses_nothing(stack: Stack) -> None:
    """Under load, every container is replaced; every webhook is answered with a 2xx, and each is in the ledger once."""
    rows, before = stack.rows(), stack.containers("processor")
    load = stack.load(RATE, LOAD_S)
    done = stack.deploy()
    assert done.returncode == 0, done.stdout
    assert load.runs, "it was over before the deployment was"
    outcome = load.outcome()
    assert outcome["answers"] == {"200": outcome["sent"]}
    await until(lambda: stack.rows() - rows == outcome["accepted"], "every one is in the ledger")
    assert not before.keys() & stack.containers("processor").keys()


async def test_killed_redis_loses_nothing(stack: Stack) -> None:
    """Redis is killed under load and started again: whatever was acknowledged meanwhile is in the ledger."""
    rows = stack.rows()
    load = stack.load(RATE, 30)
    await until(lambda: stack.rows() > rows, "the load has begun")
    stack.compose("kill", "redis")
    stack.compose("start", "redis")
    outcome = load.outcome()
    assert outcome["answers"] == {"200": outcome["sent"]}
    await until(lambda: stack.rows() - rows == outcome["accepted"], "every one is in the ledger")


@pytest.mark.parametrize(
    ("name", "command", "service", "reason"),
    [("crashing", CRASHING, "ingress-1", "broken on purpose"), ("unready", UNREADY, "processor", "never ready")],
)
def test_broken_image_is_taken_back(stack: Stack, name: str, command: str, service: str, reason: str) -> None:
    """One that crashes and one that never becomes ready: the script says which container and why, and the old image serves."""
    before = stack.containers()
    image = stack.broken_image(name, f"{command} && rm -r {COMPILED}")
    done = stack.deploy("--image", image, HOOKLINE_WAIT_S="30")
    assert done.returncode == 1
    assert re.search(f"{service}-[0-9]+ does not become healthy", done.stdout)
    assert reason in done.stdout
    assert set(stack.containers().values()) == set(before.values())
    assert stack.run("deploy/deploy.sh", "smoke").returncode == 0


@pytest.mark.parametrize("limit", ["PROCESSOR_CPUS", "INGRESS_CPUS"])
def test_containers_that_cannot_be_made_end_nobody(stack: Stack, limit: str) -> None:
    """More cores than the machine has: Docker makes no container, the script says so, and the ones that serve stay."""
    ingresses, processors = stack.ids("ingress-1", "ingress-2"), stack.ids("processor")
    done = stack.deploy("--image", f"{stack.project}:current", **{limit: "1000"})
    assert done.returncode == 1, done.stdout
    assert "ange of CPUs" in done.stdout
    assert "serves as before" in done.stdout
    assert stack.ids("ingress-1", "ingress-2") == ingresses
    assert limit == "INGRESS_CPUS" or stack.ids("processor") == processors
    assert len(stack.ids("processor")) == len(processors)


def test_settings_that_fail_are_taken_back(stack: Stack) -> None:
    """Ingress cannot start in so little memory: it gets back what it had, which .env no longer tells."""
    before = stack.memory("ingress-1", "ingress-2")
    stack.write_settings(INGRESS_MEMORY="6m")
    done = stack.deploy("--image", f"{stack.project}:current", HOOKLINE_WAIT_S="30")
    stack.write_settings()
    assert done.returncode == 1, done.stdout
    assert "ingress-1" in done.stdout
    assert "serves as before" in done.stdout
    assert stack.memory("ingress-1", "ingress-2") == before
    assert stack.run("deploy/deploy.sh", "smoke").returncode == 0


def test_redis_that_does_not_start_is_taken_back(stack: Stack) -> None:
    """What keeps is replaced before anything else, and put back as well."""
    before = stack.ids("ingress-1", "ingress-2", "processor")
    done = stack.deploy("--image", f"{stack.project}:current", REDIS_MAXMEMORY="much", HOOKLINE_WAIT_S="30")
    assert done.returncode == 1, done.stdout
    assert "redis-1 does not become healthy" in done.stdout
    assert "serves as before" in done.stdout
    assert stack.ids("ingress-1", "ingress-2", "processor") == before
    assert stack.run("deploy/deploy.sh", "smoke").returncode == 0


def test_port_moves_with_the_door(stack: Stack) -> None:
    """A failed move goes back to the port from before; one that succeeds is served there."""
    image = stack.broken_image("moving", f"{CRASHING} && rm -r {COMPILED}")
    port = free_port()
    done = stack.deploy("--image", image, PUBLISHED_PORT=str(port), HOOKLINE_WAIT_S="30")
    assert done.returncode == 1, done.stdout
    assert "serves as before" in done.stdout
    assert stack.compose("port", "door", "8080").strip().endswith(f":{stack.port}")
    assert stack.run("deploy/deploy.sh", "smoke").returncode == 0
    stack.move(port)
    done = stack.deploy("--image", f"{stack.project}:current")
    assert done.returncode == 0, done.stdout
    assert f"webhooks to 127.0.0.1:{port}" in done.stdout


@pytest.mark.parametrize("impatience", [signal.SIGINT, signal.SIGHUP])
async def test_interrupted_deployment_is_taken_back(stack: Stack, impatience: signal.Signals) -> None:
    """Ctrl-C, and once more while it goes back; or a terminal that is closed: the version before serves."""
    before = set(stack.containers("processor", "ingress-1", "ingress-2").values())
    other = stack.broken_image("interrupted", f"touch /opt/hookline/{impatience.name}")
    said = ""
    with stack.begin("deploy/deploy.sh", "deploy", "--image", other) as deploying:
        assert deploying.stdout is not None
        for line in deploying.stdout:
            said += line
            if "==> ingress-2" in line or "going back" in line:
                os.killpg(deploying.pid, impatience)
    assert deploying.returncode == 130, said
    assert "serves as before" in said
    assert set(stack.containers("processor", "ingress-1", "ingress-2").values()) == before
    assert stack.run("deploy/deploy.sh", "smoke").returncode == 0


async def test_changed_password_loses_nothing(stack: Stack) -> None:
    """Redis starts again with the new password of its user; what comes meanwhile is in the spools, and then in the ledger."""
    rows = stack.rows()
    load = stack.load(RATE, 60)
    (stack.folder / "deploy" / "secrets" / "redis_password").write_text(token_hex(16) + "\n")
    done = stack.deploy("--image", f"{stack.project}:current")
    assert done.returncode == 0, done.stdout
    outcome = load.outcome()
    assert outcome["answers"] == {"200": outcome["sent"]}
    await until(lambda: stack.rows() - rows == outcome["accepted"], "every one is in the ledger")


@pytest.mark.parametrize(
    ("service", "own", "other"),
    [("ingress-1", "twilio_auth_token", "database_url"), ("processor", "database_url", "twilio_auth_token")],
)
def test_secrets_of_others_are_closed(stack: Stack, service: str, own: str, other: str) -> None:
    """Whoever gets into a container reads what it needs, and nothing else."""
    assert stack.compose("exec", "-T", service, "cat", f"/run/secrets/{own}").strip()
    for name in (other, "redis_password", "postgres_password"):
        done = stack.run("docker", "compose", "exec", "-T", service, "cat", f"/run/secrets/{name}")
        assert "Permission denied" in done.stdout


def test_key_that_is_taken_away_is_gone(stack: Stack) -> None:
    """A file that is there no more is no longer in the volume, either."""
    read = ("run", "--rm", "-T", "--no-deps", "--entrypoint", "cat", "hookline", "/run/secrets/twilio_shared_keys")
    keys = stack.folder / "deploy" / "secrets" / "twilio_shared_keys"
    keys.write_text("partner=0123456789abcdef\n")
    stack.compose("run", "--rm", "-T", "secrets", "sh", "/secrets.sh", "change")
    assert "partner" in stack.compose(*read)
    keys.unlink()
    stack.compose("run", "--rm", "-T", "secrets", "sh", "/secrets.sh", "change")
    assert not stack.compose(*read).strip()


def test_missing_secret_stops_before_anything_is_touched(stack: Stack) -> None:
    """No token, no deployment: what runs is left as it is."""
    before = stack.containers()
    (stack.folder / "deploy" / "secrets" / "twilio_auth_token").unlink()
    done = stack.deploy()
    stack.give_token()
    assert done.returncode == 1
    assert "deploy/secrets/twilio_auth_token is missing" in done.stdout
    assert stack.containers() == before


def test_wrong_setting_stops_before_anything_is_touched(stack: Stack) -> None:
    """The new version reads the settings first, and says which is wrong."""
    before = stack.containers()
    stack.write_settings(INGRESS_MAX_BODY="much")
    done = stack.deploy()
    stack.write_settings()
    assert done.returncode == 1
    assert "INGRESS_MAX_BODY is wrong" in done.stdout
    assert stack.containers() == before


def test_wrong_image_stops_before_anything_is_touched(stack: Stack) -> None:
    """An image that is nowhere is named."""
    before = stack.containers()
    done = stack.deploy("--image", f"{stack.project}:no-such-version")
    assert done.returncode == 1
    assert f"there is no image {stack.project}:no-such-version" in done.stdout
    assert stack.containers() == before


def test_taken_port_stops_before_anything_is_touched(stack: Stack) -> None:
    """A port on which another program listens is found before the container that has the old one is replaced."""
    before = stack.containers()
    with socket.socket() as other:
        other.bind((LOOPBACK, port := free_port()))
        other.listen()
        done = stack.deploy(PUBLISHED_PORT=str(port))
    assert done.returncode == 1
    assert f"door cannot have the port 127.0.0.1:{port}" in done.stdout
    assert "address already in use" in done.stdout
    assert stack.containers() == before


def test_rollback_puts_the_version_before_back(stack: Stack) -> None:
    """What was deployed over the version before gives way to it again."""
    before = set(stack.containers("processor", "ingress-1", "ingress-2").values())
    other = stack.broken_image("other", "touch /opt/hookline/other")
    assert stack.deploy("--image", other).returncode == 0
    assert set(stack.containers("processor", "ingress-1", "ingress-2").values()) != before
    done = stack.run("deploy/deploy.sh", "rollback")
    assert done.returncode == 0, done.stdout
    assert set(stack.containers("processor", "ingress-1", "ingress-2").values()) == before
