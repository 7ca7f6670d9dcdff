"""Deployments that change a secret, the image or a setting under load, each good and bad: `make test-compose`.

What deploy.sh says is compared with what a client sees, and every webhook that was answered with a 2xx is in the ledger once.
"""

import os
import re
from functools import partial
from pathlib import Path
from secrets import token_hex

import pytest

from tests.acceptance.support.stack import Stack, missing_docker, never_ready
from tests.support.waiting import until

RATE = int(os.environ.get("HOOKLINE_COMPOSE_RATE", "200"))
LOAD_S = 90
INGRESS = "$(echo /opt/hookline/lib/python3.*/site-packages)/hookline_ingress"
NEVER_READY = never_ready("self.server.check_listening", f"{INGRESS}/app.py") + f" && rm -r {INGRESS}/__pycache__"
NO_REDIS = "redis://hookline:wrong@redis:6379/0"
NO_DATABASE = "postgresql://hookline:wrong@postgres:5432/hookline"

pytestmark = [
    pytest.mark.skipif("HOOKLINE_TEST_COMPOSE" not in os.environ, reason="containers take minutes: make test-compose"),
    pytest.mark.timeout(900),
]


@pytest.fixture
def unready(stack: Stack) -> str:
    """Return an image whose ingress never becomes ready, after all processors have been replaced."""
    return stack.broken_image("unready-ingress", NEVER_READY)


async def are_in_ledger(stack: Stack, before: int, accepted: int) -> None:
    """Wait until so many more are in the ledger. Thousands from a spool take a while on a busy machine."""
    while (seen := stack.rows()) - before < accepted:
        await until(partial(has_more_rows, stack, seen), "more are in the ledger")
    assert stack.rows() - before == accepted


def has_more_rows(stack: Stack, than: int) -> bool:
    return stack.rows() > than


async def deploys_under_load(stack: Stack, code: int, *words: str, **settings: str) -> str:
    """Deploy with `words` while webhooks come; return what is said. Each was answered with 200 and is in the ledger once."""
    rows = stack.rows()
    load = stack.load(RATE, LOAD_S)
    done = stack.deploy(*words, HOOKLINE_WAIT_S="30", **settings)
    print(done.stdout)
    outcome = load.outcome()
    assert outcome["answers"] == {"200": outcome["sent"]}
    assert done.returncode == code, done.stdout
    await are_in_ledger(stack, rows, outcome["accepted"])
    assert stack.run("deploy/deploy.sh", "smoke").returncode == 0
    return done.stdout


@pytest.mark.parametrize("name", ["redis_password", "redis_admin_password", "postgres_password"])
async def test_changed_password(stack: Stack, name: str, unready: str) -> None:
    """With a broken image, everything goes back, the password too; with one that works, the new one is in force."""
    old = stack.secret(name)
    new = stack.give(name, token_hex(8) + "@/:")
    said = await deploys_under_load(stack, 1, "--image", unready)
    assert "serves as before" in said
    assert stack.secret(name) == old
    said = await deploys_under_load(stack, 0, "--image", f"{stack.project}:current")
    assert "is in service" in said
    assert stack.secret(name) == new
    assert stack.opens(name, new)
    assert not stack.opens(name, old)


@pytest.mark.parametrize(("name", "value"), [("redis_url", NO_REDIS), ("database_url", NO_DATABASE)])
async def test_wrong_url(stack: Stack, name: str, value: str) -> None:
    """One with a wrong password is given back before anything is lost."""
    old = stack.secret(name)
    stack.give(name, value)
    said = await deploys_under_load(stack, 1, "--image", f"{stack.project}:current")
    (stack.folder / "deploy" / "secrets" / name).unlink()
    assert "serves as before" in said
    assert stack.secret(name) == old


async def test_changed_token(stack: Stack) -> None:
    """With both tokens in the file, nothing is refused while they change, and a token that goes is told of."""
    both = f"{token_hex(16)},{stack.token}"
    stack.give("twilio_auth_token", both)
    said = await deploys_under_load(stack, 0, "--image", f"{stack.project}:current")
    assert "gets a 403" not in said
    stack.token = both.partition(",")[0]
    stack.give_token()
    said = await deploys_under_load(stack, 0, "--image", f"{stack.project}:current")
    assert "an auth token that served is no longer" in said


async def test_token_with_a_broken_image(stack: Stack, unready: str) -> None:
    """What is refused is not what served: the token goes back, too."""
    old = stack.secret("twilio_auth_token")
    stack.give("twilio_auth_token", f"{token_hex(16)},{stack.token}")
    said = await deploys_under_load(stack, 1, "--image", unready)
    stack.give_token()
    assert "serves as before" in said
    assert stack.secret("twilio_auth_token") == old


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [("INGRESS_MAX_BODY", "131072", 0), ("INGRESS_MAX_BODY", "much", 1), ("INGRESS_MEMORY", "6m", 1)],
)
async def test_changed_setting(stack: Stack, setting: str, value: str, code: int) -> None:
    """One that works is in force; one that cannot be read touches nothing; one that cannot work is taken back."""
    stack.write_settings(**{setting: value})
    said = await deploys_under_load(stack, code, "--image", f"{stack.project}:current")
    stack.write_settings()
    assert code == 0 or "serves as before" in said or "INGRESS_MAX_BODY is wrong" in said


async def test_full_spool_leaves_the_port_to_the_other(stack: Stack) -> None:
    """Redis is away, and one of the two spools has little room: when it is full, the other gets what comes."""
    rows = stack.rows()
    small = stack.folder / "small.yaml"
    small.write_text('services: {ingress-1: {environment: {INGRESS_SPOOL_MAX_MB: "1"}}}\n')
    one = ("up", "--detach", "--no-deps", "--force-recreate", "--wait", "ingress-1")
    stack.compose("--file", "compose.yaml", "--file", str(small), *one)
    stack.compose("stop", "--timeout", "5", "redis")
    outcome = stack.load(RATE, 60).outcome()
    stack.compose("up", "--detach", "--no-deps", "--wait", "redis")
    assert outcome["answers"].get("503", 0) < outcome["sent"] / 50, outcome
    assert "left the port" in stack.compose("logs", "ingress-1")
    await are_in_ledger(stack, rows, outcome["accepted"])
    stack.compose(*one)


def test_doctor_finds_nothing_wrong(stack: Stack) -> None:
    """In the container for commands, it looks at what runs in the others."""
    done = stack.run("docker", "compose", "run", "--rm", "-T", "hookline", "doctor")
    assert done.returncode == 0, done.stdout
    assert "ingress is running" in done.stdout
    assert "processor is running" in done.stdout


def test_image_is_small_and_says_its_version(stack: Stack) -> None:
    """It adds less than 120 MB to its base, and whoever finds it knows what it is."""
    form = '{{.Size}} {{index .Config.Labels "org.opencontainers.image.version"}}'
    images = (f"{stack.project}:current", "python:3.13-slim-trixie")
    (size, version), (base, _) = (
        stack.run("docker", "image", "inspect", "--format", form, name).stdout.strip().partition(" ")[::2] for name in images
    )
    assert int(size) - int(base) < 120_000_000
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)


async def test_down_and_up(stack: Stack) -> None:
    """With other addresses than before, the smoke test and a deployment work at once: what is gone counts no more."""
    stack.compose("down", "--timeout", "5")
    done = stack.run("deploy/deploy.sh", "up")
    assert done.returncode == 0, done.stdout
    done = stack.run("deploy/deploy.sh", "smoke")
    assert done.returncode == 0, done.stdout
    done = stack.deploy("--image", f"{stack.project}:current")
    assert done.returncode == 0, done.stdout


async def test_up_with_build_keeps_the_image(stack: Stack) -> None:
    """A second `docker compose up --build` replaces nothing and nobody."""
    before, image = stack.containers(), stack.run("docker", "image", "inspect", f"{stack.project}:current").stdout
    changed = stack.folder / "hookline" / "__init__.py"
    changed.write_text(changed.read_text() + "\n# another version\n")
    stack.compose("up", "--detach", "--build", "--wait")
    assert stack.containers() == before
    assert stack.run("docker", "image", "inspect", f"{stack.project}:current").stdout == image
    stack.run("git", "checkout", "hookline")


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_clone_with_umask(umask: int, tmp_path: Path) -> None:
    """One whose files others cannot read says so, and comes up after the command that it names."""
    if reason := missing_docker():
        pytest.skip(f"NOTHING OF COMPOSE IS TESTED: {reason}")
    before = os.umask(umask)
    try:
        stack = Stack(tmp_path / "hookline")
        try:
            done = stack.run("deploy/deploy.sh", "up")
            if umask != 0o022:
                assert done.returncode == 1
                remedy = next(line.partition("secrets: ")[2] for line in done.stdout.splitlines() if "chmod -R" in line)
                assert stack.run("sh", "-c", remedy).returncode == 0
                done = stack.run("deploy/deploy.sh", "up")
            assert done.returncode == 0, done.stdout
            done = stack.run("deploy/deploy.sh", "smoke")
            assert done.returncode == 0, done.stdout
        finally:
            stack.down()
    finally:
        os.umask(before)
