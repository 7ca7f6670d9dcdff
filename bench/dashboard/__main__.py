"""`python -m bench.dashboard`: two minutes of load, in which Redis stalls and messages fail, drawn as Grafana would."""

import os
import signal
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import msgspec
import typer
from redis import Redis
from rich.console import Console

from bench.dashboard.handlers import BROKEN_VARIABLE
from bench.dashboard.panels import Mark, Picture, ask_panels
from bench.dashboard.private_prometheus import PrivatePrometheus, private_prometheus
from bench.plots import draw
from bench.report.progress import ProgressLog, progress
from bench.system.probes import is_ready
from bench.system.processes import ROOT, free_port, running
from hookline_shared.errors import HooklineError

_RESULTS: Final = ROOT / "bench" / "results"
_STEP_S: Final = 1
_RATE_S: Final = 5
_WARM_UP_S: Final = 8.0
_SECONDS: Final = 120.0
_STALLED: Final = Mark("Redis stalled", 25.0, 35.0)
_BROKEN: Final = Mark("messages fail", 65.0, 85.0)
_LOAD: Final = {"message": 60, "status": 40}
"""Webhooks per second."""


def main(
    into: Annotated[Path, typer.Option(help="Folder for the picture.")] = ROOT / "docs" / "images",
    again: Annotated[Path | None, typer.Option(help="Draw the figures of an earlier run again.")] = None,
) -> None:
    """Run Hookline under load and faults with a Prometheus beside it, and draw what the dashboards show."""
    console = Console()
    try:
        with progress(console) as lines:
            figures = again or _run(lines)
            draw(lines, figures, into, "dashboard.py")
    except HooklineError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
    console.print(f"{into / 'grafana-dashboards.png'}, from {figures}", highlight=False)


def _run(lines: ProgressLog) -> Path:
    with TemporaryDirectory(prefix="hookline-bench-") as directory, ExitStack() as stack:
        picture = _picture(lines, Path(directory), stack)
    _RESULTS.mkdir(exist_ok=True)
    figures = _RESULTS / "dashboard.json"
    figures.write_bytes(msgspec.json.encode(picture))
    return figures


def _picture(lines: ProgressLog, directory: Path, stack: ExitStack) -> Picture:
    port, ingress, processor = free_port(), free_port(), free_port()
    broken = directory / "broken"
    settings = {
        "INGRESS_PORT": str(port),
        "INGRESS_ADMIN_PORT": str(ingress),
        "PROCESSOR_ADMIN_PORT": str(processor),
        "PROCESSOR_HANDLERS": "bench.dashboard.handlers:handlers",
        "PROCESSOR_MAX_ATTEMPTS": "5",
        "LOG_LEVEL": "error",
        BROKEN_VARIABLE: str(broken),
    }
    data = str(directory / "data")
    pair = stack.enter_context(running("hookline", _hookline("up", "--data", data), directory, None, settings))
    pair.wait_until(lambda: is_ready(ingress) and is_ready(processor))
    jobs = {"hookline-ingress": ingress, "hookline-processor": processor}
    prometheus = stack.enter_context(private_prometheus(directory, jobs, _STEP_S, None))
    for what, rate in _LOAD.items():
        words = ["--data", data, "--rate", str(rate), "--times", str(int(rate * 600)), "--senders", "500"]
        stack.enter_context(running(f"send-{what}", _hookline("send", what, *words), directory, None))
    with closing(Redis(unix_socket_path=str(directory / "data" / "redis.sock"))) as redis:
        redis_pid = int(redis.info("server")["process_id"])
    return _run_with_faults(lines, prometheus, redis_pid, broken)


def _hookline(*words: str) -> list[str]:
    return [sys.executable, "-c", "from hookline_cli.start import main; main()", *words]


def _run_with_faults(lines: ProgressLog, prometheus: PrivatePrometheus, redis_pid: int, broken: Path) -> Picture:
    """Run the load with the faults at their times; return the panels."""
    time.sleep(_WARM_UP_S)
    started_s = time.time()

    def until(seconds: float, what: str) -> None:
        lines.doing(f"{what}, until {seconds:g} s of {_SECONDS:g}")
        time.sleep(max(0.0, started_s + seconds - time.time()))

    until(_STALLED.from_s, "all is well")
    os.kill(redis_pid, signal.SIGSTOP)
    try:
        until(_STALLED.to_s, _STALLED.what)
    finally:
        os.kill(redis_pid, signal.SIGCONT)
    until(_BROKEN.from_s, "all is well")
    broken.touch()
    until(_BROKEN.to_s, _BROKEN.what)
    broken.unlink()
    until(_SECONDS, "all is well")
    return Picture(_SECONDS, (_STALLED, _BROKEN), ask_panels(prometheus, started_s, _SECONDS, _RATE_S))


if __name__ == "__main__":
    typer.run(main)
