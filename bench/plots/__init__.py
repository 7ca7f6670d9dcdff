"""Charts of a run, drawn by a process in its own environment, because Hookline does not depend on matplotlib."""

import subprocess
from pathlib import Path
from typing import Final

from bench.errors import BenchError
from bench.peers.environment import PythonEnvironment
from bench.report.progress import ProgressLog

_TIMEOUT_S: Final = 120
_HERE: Final = Path(__file__).parent


class NoPlotsError(BenchError):
    """The charts could not be drawn."""


def draw(progress: ProgressLog, results: Path, directory: Path, script: str = "draw.py") -> None:
    """Draw SVGs of the figures in `results` into `directory`, with `script` of this folder.

    Raises:
        BenchError: if matplotlib cannot be installed, or fails.

    """
    environment = PythonEnvironment(_HERE)
    if not environment.is_ready():
        progress.doing("installing matplotlib into bench/plots (once)")
        environment.install()
    progress.doing("drawing")
    directory.mkdir(parents=True, exist_ok=True)
    command = environment.command("python", str(_HERE / script), str(results), str(directory))
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise NoPlotsError(f"The pictures could not be drawn within {_TIMEOUT_S} s.") from None
    if done.returncode:
        raise NoPlotsError(f"The pictures could not be drawn: {done.stderr[-500:]}")
