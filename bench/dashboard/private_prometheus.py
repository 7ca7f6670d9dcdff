"""A Prometheus server for the benchmark, with the rules of deploy/prometheus."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

from bench.errors import BenchError
from bench.system.probes import accepts
from bench.system.processes import ROOT, free_port, running

_RULES: Final = ROOT / "deploy" / "prometheus" / "rules"
_TIMEOUT_S: Final = 30


class NoPrometheusError(BenchError):
    """There is no Prometheus on this machine, and nothing else works out what the panels show."""

    def __init__(self) -> None:
        super().__init__(
            "There is no prometheus on this machine, which works out what the panels show. On Debian and Ubuntu it is in the "
            "package prometheus; its service need not run."
        )


class PrivatePrometheus:
    """The running server, which scrapes the services every `step_s` seconds."""

    def __init__(self, port: int, step_s: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/query_range"
        self._step_s = step_s

    def ask(self, query: str, start_s: float, end_s: float) -> list[dict[str, Any]]:
        """Return the series of `query` between two Unix times, as Prometheus' API does: `metric` and `values`."""
        parameters = urlencode({"query": query, "start": start_s, "end": end_s, "step": self._step_s})
        with urlopen(f"{self._url}?{parameters}", timeout=_TIMEOUT_S) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


@contextmanager
def private_prometheus(directory: Path, jobs: Mapping[str, int], step_s: int, core: int | None) -> Iterator[PrivatePrometheus]:
    """Run a server that scrapes the admin ports in `jobs`, by their names, within the context.

    Raises:
        NoPrometheusError: if there is none to run.

    """
    program = shutil.which("prometheus")
    if program is None:
        raise NoPrometheusError
    settings = {
        "global": {"scrape_interval": f"{step_s}s", "evaluation_interval": f"{step_s}s"},
        "rule_files": [str(_RULES / "*.yml")],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for job, port in jobs.items()
        ],
    }
    file, port = directory / "prometheus.json", free_port()
    file.write_text(json.dumps(settings))  # JSON is YAML, too
    command = [program, f"--config.file={file}", f"--storage.tsdb.path={directory / 'series'}"]
    with running("prometheus", [*command, f"--web.listen-address=127.0.0.1:{port}"], directory, core) as child:
        child.wait_until(lambda: accepts(port))
        yield PrivatePrometheus(port, step_s)
