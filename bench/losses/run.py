"""Runs all subjects in all scenarios, several at a time."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import cycle
from typing import Final

from bench.environment import Environment
from bench.errors import BenchError
from bench.losses.scenario import Scenario
from bench.losses.subject import HooklineSubject, PeerSubject, Subject
from bench.losses.trial import Trial
from bench.peers.catalogue import RAW
from bench.peers.usable import usable
from bench.report.figures import Loss, LossFigures
from bench.scale import Scale

_AT_ONCE: Final = 10
_MODES: Final = ("default", "careful")


def measure_losses(environment: Environment, scale: Scale) -> LossFigures:
    """Run every subject in every scenario."""
    peers, left_out = usable(environment)
    failures: list[str] = []
    tried = [peer for peer in peers if peer is not RAW]
    subjects: list[Subject] = [HooklineSubject(mode) for mode in _MODES]
    subjects += [PeerSubject(peer, mode) for peer in tried for mode in _MODES]
    cores = cycle((environment.cores.rest, environment.cores.service))
    trials = [Trial(environment, one, scenario, scale.patience_s, next(cores)) for scenario in Scenario for one in subjects]
    losses = _run(environment, trials, failures)
    return LossFigures(patience_s=scale.patience_s, losses=losses, failures=failures, left_out=left_out)


def _run(environment: Environment, trials: Sequence[Trial], failures: list[str]) -> list[Loss]:
    losses: list[Loss] = []
    with _pool(trials) as pool:
        futures = [pool.submit(trial.run) for trial in trials]
        for number, future in enumerate(as_completed(futures), start=1):
            environment.progress.doing(f"what is lost: {number}/{len(trials)}")
            try:
                losses.append(future.result())
            except BenchError as error:
                failures.append(str(error))
                continue
            environment.progress.note(_tell(losses[-1]))
    return sorted(losses, key=lambda loss: (list(Scenario).index(Scenario(loss.scenario)), loss.name.casefold()))


@contextmanager
def _pool(trials: Sequence[Trial]) -> Iterator[ThreadPoolExecutor]:
    """Yield threads for `trials`; if the context ends early, as with Ctrl-C, those under way end and no others begin."""
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        yield pool
    finally:
        for trial in trials:
            trial.give_up()
        pool.shutdown(cancel_futures=True)


def _tell(loss: Loss) -> str:
    done = f"all done after {loss.seconds:.1f} s" if loss.seconds is not None else "waited for no longer"
    return f"{loss.scenario}: {loss.name:<24} {loss.never} not done, {loss.twice} done twice, {done}"
