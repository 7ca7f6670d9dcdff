"""Packages in PYTHONPATH with the names of Hookline's own, in versions that it cannot use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_COMMANDS = {
    "hookline": ["-P", "-c", "from hookline_cli.start import main; main()", "config", "--changed"],
    "processor": ["-P", "-m", "hookline_processor"],
    "ingress": ["-P", "-m", "hookline_ingress"],
}


@pytest.mark.parametrize("command", _COMMANDS)
def test_own_packages_come_first(command: str, tmp_path: Path) -> None:
    """What a bot brings along is not imported by Hookline. The services get as far as their settings, which are wrong."""
    for name in ("msgspec", "redis", "structlog", "aiohttp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the package of the bot was imported')")
    paths = [str(tmp_path), *(str(_ROOT / folder) for folder in ("", "shared", "ingress", "processor", "cli", "console"))]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(paths),
        "INGRESS_PORT": "x",
        "PROCESSOR_CONCURRENCY": "x",
    }
    done = subprocess.run(
        [sys.executable, *_COMMANDS[command]], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "the package of the bot" not in done.stdout + done.stderr
    assert "is wrong" in done.stdout + done.stderr
