"""The progress and the summary of sending webhooks, for a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from hookline_cli.send.load_generator import LoadOutcome, LoadPlan

_COLUMNS = (BarColumn(), MofNCompleteColumn(), TaskProgressColumn(), TextColumn("{task.fields[facts]}"), TimeRemainingColumn())


@contextmanager
def progress(plan: LoadPlan, now: Callable[[], float], *, quiet: bool) -> Iterator[Callable[[LoadOutcome], None]]:
    """Yield a function that shows the progress: a bar on a terminal if there are many, else nothing."""
    console = Console(stderr=True)
    if quiet or plan.times == 1 or not console.is_terminal:
        yield lambda _outcome: None
        return
    began = now()
    with Progress(*_COLUMNS, console=console, transient=True) as bar:
        task = bar.add_task("", total=plan.times, facts="")

        def show(outcome: LoadOutcome) -> None:
            refused = outcome.sent - outcome.accepted
            rate = outcome.sent / max(now() - began, 1e-9)
            bar.update(task, completed=outcome.sent, facts=f"{rate:,.0f}/s{f', {refused:,} not accepted' if refused else ''}")

        yield show


def summary(outcome: LoadOutcome) -> Group:
    """Return the number, the rate, the answers and the latencies."""
    head = Text.assemble((f"{outcome.sent:,} sent", "bold"), f" in {outcome.seconds:.1f} s, {outcome.rate:,.1f}/s")
    answers = Text("answers  ")
    for answer, count in sorted(outcome.answers.items()):
        answers.append(f"{answer}: {count:,}  ", "green" if answer.startswith("2") else "red")
    latencies = Text("latency  ")
    for name, value in outcome.latencies_ms().items():
        latencies.append(f"{name} ", "dim").append(f"{value:,.1f} ms  ")
    return Group(head, answers, *([latencies] if outcome.latencies_ms() else []))
