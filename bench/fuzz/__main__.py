"""`python -m bench.fuzz`: mutated requests at an ingress of its own. Exits with 1 if one hangs or fails, or ingress grows."""

import re
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer
import uvloop

from bench.fuzz.corpus import Corpus
from bench.fuzz.run import Run
from bench.load.private_ingress import PrivateIngress, private_ingress
from bench.system.machine import window_mb
from bench.system.processes import ROOT

CORPUS: Final = ROOT / "bench" / "fuzz" / "corpus.txt"
_FINDINGS: Final = ROOT / "bench" / "results"
_SETTINGS: Final = {
    "INGRESS_ADDRESS_RATE": "0",  # nothing is refused unread
    "INGRESS_TRUSTED_PROXIES": "127.0.0.0/8",  # and headers of proxies are read
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "info",
}
_WARM_UP: Final = 20_000
"""Requests after which every cache is full, and memory is compared from."""
_GROWTH_MB: Final = 10.0
_ERRORS: Final = re.compile(r'"level": ?"(?:error|critical)"')
_EXPECTED: Final = "alert firing"  # no processor runs


def main(
    requests: Annotated[int, typer.Option(help="Requests to send, besides those that fill the caches.")] = 100_000,
    seed: Annotated[int | None, typer.Option(help="Seed of the run; by default another one each time.")] = None,
) -> None:
    """Send mutated requests to a real ingress."""
    chosen = int(time.time()) if seed is None else seed
    with TemporaryDirectory(prefix="hookline-fuzz-") as directory, private_ingress(Path(directory), _SETTINGS) as ingress:
        corpus = Corpus(CORPUS)
        print(f"seed {chosen}, {len(corpus.cases)} cases in the corpus", flush=True)
        problems = uvloop.run(_fuzz(ingress, requests, chosen, corpus))
    print(f"{corpus.save()} cases are new in {CORPUS.relative_to(ROOT)}")
    for problem in problems:
        print(f"FAILED: {problem}")
    if problems:
        raise typer.Exit(1)


async def _fuzz(ingress: PrivateIngress, requests: int, seed: int, corpus: Corpus) -> list[str]:
    """Fuzz `ingress`; return what went wrong."""
    new_run = partial(Run, ingress.port, corpus=corpus, report=partial(print, flush=True), tidy=ingress.redis.empty)
    await new_run(seed + 1).run(min(_WARM_UP, requests))
    before = window_mb(ingress.child.pid) or 0.0
    run = new_run(seed)
    await run.run(requests)
    ingress.child.check()
    after = window_mb(ingress.child.pid) or 0.0
    print(f"{run.requests:,} requests in {run.cases:,} connections, {run.signed / run.requests:.0%} of them validly signed")
    print(
        "statuses (0: the connection ended without one): "
        + ", ".join(f"{n:,} x {code}" for code, n in sorted(run.statuses.items()))
    )
    print(
        f"slowest {run.slowest_s:.2f} s, hangs {len(run.hangs)}, status 500 {len(run.failures)}, "
        f"memory {before:.1f} -> {after:.1f} MB"
    )
    _keep(run)
    return _problems(run, ingress, after - before)


def _problems(run: Run, ingress: PrivateIngress, growth_mb: float) -> list[str]:
    logged = [
        line for line in ingress.log.read_text(errors="replace").splitlines() if _ERRORS.search(line) and _EXPECTED not in line
    ]
    found = [f"cases {[number for number, _ in run.hangs]} hang"] if run.hangs else []
    found += [f"cases {[number for number, _ in run.failures]} are answered with 500"] if run.failures else []
    found += [f"memory grew by {growth_mb:.1f} MB"] if growth_mb > _GROWTH_MB else []
    return found + [f"logged: {line}" for line in logged[:10]]


def _keep(run: Run) -> None:
    """Write the cases that went wrong to files, to be sent again."""
    _FINDINGS.mkdir(exist_ok=True)
    for number, case in [*run.hangs, *run.failures]:
        (_FINDINGS / f"fuzz-{number}.bin").write_bytes(b"".join(case.packets))


if __name__ == "__main__":
    typer.run(main)
