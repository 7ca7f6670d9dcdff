"""Generates the parts of the documentation that come from the code. Run it with `make pages`.

Each page starts with text that is written by hand. The generated part reaches from its first heading to the end of the file; a
table in the middle of a page reaches from its head to the next empty line.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

import hookline_ingress.metrics
import hookline_processor.ledger.metrics
import hookline_processor.metrics
import hookline_shared.observability.metrics
from hookline_cli.config import env_lines, markdown_table
from hookline_cli.docs_generator.catalogue_tables import events_table, kinds_table
from hookline_cli.docs_generator.metric_advice import ADVICE
from hookline_shared.alerts.rule import Watcher
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.units import Unit
from hookline_shared.observability.metrics import FastCounter
from hookline_shared.observability.timings import FastHistograms

PARTS: Final[Mapping[str, ModuleType]] = {
    "Both services": hookline_shared.observability.metrics,
    "Ingress": hookline_ingress.metrics,
    "Processor": hookline_processor.metrics,
    "The ledger, in the processor": hookline_processor.ledger.metrics,
}
"""The modules that define metrics, by the heading of their table."""


class MetricRow(NamedTuple):
    """One metric, as in /metrics."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str


def metric_rows(part: ModuleType) -> Iterator[MetricRow]:
    """Yield the metrics that module `part` defines."""
    for one in vars(part).values():
        if isinstance(one, FastHistograms | FastCounter):
            yield from (_row(family, one.labels) for family in one.describe())
        elif isinstance(one, MetricWrapperBase):
            yield from (_row(family, tuple(one._labelnames)) for family in one.describe())


def _row(family: Metric, labels: tuple[str, ...]) -> MetricRow:
    suffix = "_total" if family.type == "counter" else ""
    return MetricRow(family.name + suffix, family.type, labels, family.documentation)


def metrics_tables() -> str:
    """Return the tables of docs/metrics.md."""
    lines: list[str] = []
    for title, part in PARTS.items():
        lines += [f"## {title}", "", "| metric | type | labels | meaning | what to do |", "|---|---|---|---|---|"]
        for row in metric_rows(part):
            labels = ", ".join(f"`{label}`" for label in row.labels)
            lines.append(f"| `{row.name}` | {row.type} | {labels} | {row.meaning} | {ADVICE[row.name]} |")
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def alerts_tables() -> str:
    """Return the tables of docs/alerts.md."""
    lines: list[str] = []
    for watcher, title in ((Watcher.INGRESS, "Ingress"), (Watcher.PROCESSOR, "Processor"), (Watcher.BOTH, "Both services")):
        lines += [
            f"## {title}",
            "",
            "| alert | level | value | threshold | clear | for_s | window_s |",
            "|---|---|---|---|---|---|---|",
        ]
        for rule in RULES.values():
            if rule.watcher is watcher:
                limit = rule.limit
                name = f"[`{rule.name}`]({rule.runbook('runbook.md')})"
                per = f", for each {rule.per}" if rule.per else ""
                unit = f" ({rule.unit})" if rule.unit is not Unit.COUNT else ""
                window = "" if limit.window_s is None else f"{limit.window_s:g}"
                numbers = f"{limit.threshold:g} | {limit.clear:g} | {limit.for_s:g} | {window}"
                level = f"{limit.level}; critical for {rule.critical}" if rule.critical else limit.level
                lines.append(f"| {name} | {level} | {rule.watches}{per}{unit} | {numbers} |")
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


PAGES: Final[dict[str, tuple[str, Callable[[], str]]]] = {
    "docs/settings.md": ("| setting |", markdown_table),
    "docs/metrics.md": ("## Both services", metrics_tables),
    "docs/alerts.md": ("## Ingress", alerts_tables),
    ".env.example": ("# --- both services", lambda: env_lines().lstrip()),
}
"""By file: the first line of the generated part, and the function that renders it."""


TABLES: Final[dict[str, tuple[str, Callable[[], str]]]] = {
    "docs/webhooks.md": ("| kind | recognized by |", kinds_table),
    "docs/handlers.md": ("| kind | class |", events_table),
}
"""By file, tables in the middle of a page: the beginning of the first line, and the function that renders the table."""


def with_table(text: str, head: str, table: str) -> str:
    """Return `text` with the table that begins with `head` replaced by `table`."""
    before, found, rest = text.partition(f"\n{head}")
    if not found:
        raise ValueError(f"no table begins with {head!r}")
    return f"{before}\n{table}\n{rest.partition(chr(10) * 2)[2]}"


def write(repository: Path) -> None:
    """Replace the generated part of every page in the folder `repository`."""
    for name, (head, render) in PAGES.items():
        text = (repository / name).read_text()
        (repository / name).write_text(text[: text.index(f"\n{head}") + 1] + render())
    for name, (head, render) in TABLES.items():
        (repository / name).write_text(with_table((repository / name).read_text(), head, render()))


if __name__ == "__main__":
    write(Path())
