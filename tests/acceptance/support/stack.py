"""Everything of compose.yaml in real containers, from a clone of this repository, as a project of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from tests.support.servers.ports import LOOPBACK, free_port

_ROOT: Final = Path(__file__).parents[3]
_UP_S: Final = 600
PUBLIC_URL: Final = "https://hooks.example.com"


def missing_docker() -> str:
    """Return why nothing can be started here, empty if it can."""
    if shutil.which("docker") is None:
        return "there is no docker"
    for words in (["docker", "info"], ["docker", "compose", "version"]):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{' '.join(words)}: {done.stderr.strip()}"
    return ""


def never_ready(check: str, file: str) -> str:
    """Return the command after which the readiness check `check`, set in `file`, never passes. It fails if there is none."""
    return f"grep -q '= {check}$' {file} && sed -i 's/= {check}$/= lambda: \"never ready\"/' {file}"


class Stack:
    """A clone in `folder`, and the containers that are made from it. `project` keeps them apart from all others."""

    def __init__(self, folder: Path) -> None:
        subprocess.run(["git", "clone", "--quiet", _ROOT, folder], check=True)
        self.folder = folder
        self.project = f"hookline-test-{token_hex(3)}"
        self.port = free_port()
        self.token = token_hex(16)
        self.write_settings()
        self.settings = {"PUBLISHED_PORT": str(self.port), "PROMETHEUS_PORT": str(free_port()), "PUBLIC_URL": PUBLIC_URL}

    def write_settings(self, **settings: str) -> None:
        """Write .env. A busy machine must not turn a 200 into a 503, so each answer may take as long as it takes."""
        lines = {"INGRESS_WRITE_BUDGET_MS": "5000"} | settings
        (self.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    def give_token(self) -> None:
        """Put the auth token where deploy.sh wants it."""
        (self.folder / "deploy" / "secrets" / "twilio_auth_token").write_text(self.token + "\n")

    def give(self, name: str, value: str) -> str:
        """Put a secret where the next deployment finds it."""
        (self.folder / "deploy" / "secrets" / name).write_text(value + "\n")
        return value

    def secret(self, name: str) -> str:
        """Return what containers read of a secret."""
        return self.compose("exec", "-T", "redis", "cat", f"/run/secrets/{name}").strip()

    def opens(self, name: str, password: str) -> bool:
        """Whether Redis or PostgreSQL lets its user in with `password`."""
        if name == "postgres_password":
            script = 'PGPASSWORD=$0 psql -h "$(hostname -i | cut -d" " -f1)" -U hookline -d hookline -c ""'
            return self.run("docker", "compose", "exec", "-T", "postgres", "sh", "-c", script, password).returncode == 0
        user = "hookline" if name == "redis_password" else "default"
        script = "REDISCLI_AUTH=$0 redis-cli --user $1 ping"
        return "PONG" in self.run("docker", "compose", "exec", "-T", "redis", "sh", "-c", script, password, user).stdout

    def move(self, port: int) -> None:
        """Want another port from now on."""
        self.port = port
        self.settings["PUBLISHED_PORT"] = str(port)

    def run(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone; its output and errors are one text."""
        environment = os.environ | {"COMPOSE_PROJECT_NAME": self.project} | self.settings | settings
        return subprocess.run(
            words,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_UP_S,
            check=False,
        )

    def compose(self, *words: str) -> str:
        """Run docker compose, which must succeed; return what it prints."""
        done = self.run("docker", "compose", *words)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def deploy(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run deploy/deploy.sh deploy."""
        return self.run("deploy/deploy.sh", "deploy", *words, **settings)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Begin to run a command in the clone, as a terminal does: as the leader of a process group, with no signal ignored."""
        return subprocess.Popen(
            ["env", "--default-signal=INT,HUP", *words],
            cwd=self.folder,
            env=os.environ | {"COMPOSE_PROJECT_NAME": self.project} | self.settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def containers(self, *services: str) -> dict[str, str]:
        """Return the name of each container that runs, and the image it is made of."""
        lines = self.compose("ps", "--quiet", *services).split()
        form = "{{.Name}} {{.Image}}"
        found = subprocess.run(["docker", "inspect", "--format", form, *lines], capture_output=True, text=True, check=True)
        return dict(line.split() for line in found.stdout.splitlines())

    def ids(self, *services: str) -> set[str]:
        """Return the id of each container that runs."""
        return set(self.compose("ps", "--quiet", *services).split())

    def memory(self, *services: str) -> list[int]:
        """Return the bytes of memory that each container may have."""
        words = ["docker", "inspect", "--format", "{{.HostConfig.Memory}}", *sorted(self.ids(*services))]
        return [int(line) for line in subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()]

    def broken_image(self, name: str, command: str) -> str:
        """Build what is in service with a change that `command` makes as root; return its name."""
        lines = [f"FROM {self.project}:current", "USER root", f"RUN {command}", "USER 10001:10001"]
        tag = f"{self.project}:{name}"
        words = ["docker", "build", "--quiet", "--tag", tag, "-"]
        subprocess.run(words, input="\n".join(lines), text=True, check=True, capture_output=True)
        return tag

    def rows(self) -> int:
        """Return how many messages are in the ledger."""
        query = "SELECT count(*) FROM events WHERE kind = 'message.received'"
        return int(self.compose("exec", "-T", "postgres", "psql", "-U", "hookline", "-d", "hookline", "-Atc", query))

    def load(self, rate: int, seconds: int) -> "Load":
        """Begin to send so many messages per second for so long, each from one of a thousand numbers."""
        words = ["send", "message", "--via", f"http://{LOOPBACK}:{self.port}", "--json", "--concurrency", "20"]
        words += ["--times", str(rate * seconds), "--rate", str(rate), "--senders", "1000", "--data", str(self.folder)]
        return Load(words, {"TWILIO_AUTH_TOKEN": self.token, "PUBLIC_URL": PUBLIC_URL})

    def down(self) -> None:
        """Remove every container, volume and image that was made."""
        self.run("docker", "compose", "--profile", "*", "down", "--volumes", "--timeout", "5")
        images = self.run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", self.project).stdout.split()
        if images:
            self.run("docker", "image", "rm", "--force", *images)


class Load:
    """`hookline send` at work."""

    def __init__(self, words: list[str], settings: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from hookline_cli.start import main; main()", *words],
            env=os.environ | {"PYTHONPATH": str(_ROOT)} | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    @property
    def runs(self) -> bool:
        """Whether it still sends."""
        return self._process.poll() is None

    def outcome(self) -> dict[str, Any]:
        """Wait for its end; return what it reports."""
        output, _ = self._process.communicate(timeout=_UP_S)
        report = re.search(r"^\{.*\}", output, re.DOTALL | re.MULTILINE)
        assert report is not None, output
        found: dict[str, Any] = json.loads(report[0])
        return found
