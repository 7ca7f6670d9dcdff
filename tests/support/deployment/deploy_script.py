"""deploy/deploy.sh in real bash, with functions that answer in the place of Docker."""

import subprocess
from pathlib import Path
from subprocess import PIPE
from typing import Final

SCRIPT: Final = Path(__file__).parents[3] / "deploy" / "deploy.sh"
TOOLS: Final = ("bash", "sed", "dirname", "tail", "wc", "flock", "awk", "comm", "rm", "cat", "setsid", "mv", "sleep")
ROLLOUT: Final = """
remember() { old_image=sha256:1; }
secrets_to() { echo "secrets $1"; }
docker() { :; }
compose() { :; }
check_settings() { $settings; }
start_stores() { echo stores; $stores; }
put_stores_back() { echo stores-back; }
put_ingresses_back() { echo ingress-back; }
put_processors_back() { echo processors-back; }
say_what_serves() { :; }
forward() { echo forward; }
smoke() { :; }
"""
"""Everything that in_service calls, without effect."""


def run(path: str, *words: str, complaints: int = PIPE) -> subprocess.CompletedProcess[str]:
    """Run bash with `words`; error messages are printed."""
    return subprocess.run(["bash", *words], env={"PATH": path}, stdout=PIPE, stderr=complaints, text=True, check=False)


def steps(path: str, text: str, complaints: int = PIPE) -> subprocess.CompletedProcess[str]:
    """Run `text` with everything that the script defines."""
    return run(path, "-c", f". {SCRIPT}\n{text}", complaints=complaints)
