"""The state of Redis and the services as text for a terminal: the issues first, then the tables.

On a terminal, the view is never higher than the screen: a first line that has scrolled away is the one that mattered. Tables
become lines, then idle topics and blank lines go, and at last the least harmful issues.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from hookline_cli.output.redaction import Redaction
from hookline_cli.output.terminal import printable
from hookline_cli.pause import rows
from hookline_cli.status.issues import Issue, issues
from hookline_cli.status.service_report import ServiceReport
from hookline_cli.status.snapshot import Snapshot, count_of, owners
from hookline_cli.status.tables import is_busy, processors_table, services_table, state_of, topics_table
from hookline_shared.partitions import ranges

_LEVELS: Final = {"problem": "red", "critical": "red", "warning": "yellow"}
_INDENT: Final = "  "
_PROMPT_LINES: Final = 2
"""Lines of the terminal that the view leaves free: the prompt before it, and the one after it."""
_SHORTER, _BUSY_ONLY, _DENSE, _ISSUES_ONLY = 1, 2, 3, 4
"""Degrees of shortening: lines instead of tables; only topics with events; no blank lines; no tables. In the last two, the
least harmful issues are left out if there is no room for them."""
_LEAST_ISSUES: Final = 3
"""Tables are left out before there are fewer issues than this."""


class StatusView:
    """The whole view, for `rich`. With `verbose`, it has the meaning and the remedy of each issue, and is as long as it is."""

    def __init__(self, found: Snapshot, *, verbose: bool = False) -> None:
        self._found = found
        self._issues = issues(found)
        self._verbose = verbose

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the parts, shortened to the height of the terminal if there is one."""
        if self._verbose or not console.is_terminal:
            yield from self._parts(console, 0)
            return
        room = console.height - _PROMPT_LINES
        for degree in (0, _SHORTER, _BUSY_ONLY, _DENSE, _ISSUES_ONLY):
            parts = list(self._parts(console, degree))
            surplus = _height(console, options, parts) - room
            if surplus > 0 and degree >= _DENSE:
                most = max(1, len(self._issues) - surplus)
                parts = list(self._parts(console, degree, most))
                surplus = 0 if most >= min(_LEAST_ISSUES, len(self._issues)) else surplus
            if surplus <= 0:
                break
        yield from parts

    def _parts(self, console: Console, degree: int, most: int | None = None) -> Iterator[RenderableType]:
        yield _headline(self._found, console.width)
        sections = () if degree >= _ISSUES_ONLY else self._sections(console, degree)
        for section in (self._issue_lines(most), *sections):
            if section:
                yield from section if degree >= _DENSE else ["", *section]

    def _issue_lines(self, most: int | None) -> list[RenderableType]:
        """Return the issues, the first `most` only."""
        shown = self._issues[:most]
        lines: list[RenderableType] = [line for issue in shown for line in _lines_of(issue, verbose=self._verbose)]
        if hidden := len(self._issues) - len(shown):
            lines.append(_cropped(Text(f"and {hidden} more: hookline status --verbose", "dim")))
        elif not self._verbose and any(issue.more for issue in shown):
            lines.append(_cropped(Text("what to do: hookline status --verbose", "dim")))
        return lines

    def _sections(self, console: Console, degree: int) -> Iterator[list[RenderableType]]:
        found = self._found
        if found.redis.topics:
            yield _topics(console, found, degree)
        if found.redis.leases or found.redis.processors:
            yield [_owners_line(found)] if degree else [processors_table(console, found)]
        if found.redis.pauses and not degree:
            yield [rows.table(found.redis.pauses, Redaction(reveal=False), found.at_ms)]
        if any(service.answers for service in found.services):
            yield [_services_line(found.services)] if degree else [services_table(console, found.services)]


def _height(console: Console, options: ConsoleOptions, parts: Sequence[RenderableType]) -> int:
    return sum(len(console.render_lines(part, options.update(height=None), pad=False)) for part in parts)


def _lines_of(issue: Issue, *, verbose: bool) -> Iterator[RenderableType]:
    line = Text.assemble((issue.level, _LEVELS[issue.level]), " ", printable(issue.found))
    if not verbose:
        yield _cropped(line)
        return
    yield line
    if issue.more:
        yield Text(_INDENT + printable(issue.more), "dim")


def _cropped(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _headline(found: Snapshot, width: int) -> Text:
    """Return the first line; what Redis is comes only if there is room for it."""
    start = Text.assemble(("Hookline", "bold"), "  ", _verdict(found))
    time = Text(f"  {datetime.fromtimestamp(found.at_ms / 1000).astimezone():%H:%M:%S}", "dim")
    details = Text("", "dim")
    if servers := list(dict.fromkeys(found.redis.servers)):
        times = f" ({len(found.redis.servers)} masters)" if len(found.redis.servers) > 1 else ""
        details.append(f"  {'; '.join(servers)}{times}")
    if found.redis.partitions:
        details.append(f"  {count_of(found.redis.partitions, 'partition')}")
    return next((line for line in (start + details + time, start + time) if line.cell_len <= width), _cropped(start))


def _verdict(found: Snapshot) -> tuple[str, str]:
    """Return the overall state in words, and its style. It is never "all is well" above a warning."""
    problems, alerts, warnings = len(found.problems()), found.alerts(), len(found.warnings())
    if found.refusals():
        return f"webhooks are refused, {count_of(problems, 'problem')}", "bold red"
    if problems:
        return count_of(problems, "problem"), "bold red"
    if alerts:
        return f"works, with {count_of(len(alerts), 'alert')}", f"bold {_LEVELS[alerts[0][1].level]}"
    return (f"works, with {count_of(warnings, 'warning')}", "bold yellow") if warnings else ("all is well", "bold green")


def _topics(console: Console, found: Snapshot, degree: int) -> list[RenderableType]:
    busy = [name for name in found.redis.topics if is_busy(found, name)]
    if degree >= _BUSY_ONLY:
        idle = [name for name in found.redis.topics if name not in busy]
        table: list[RenderableType] = [topics_table(console, found, busy)] if busy else []
        return table + ([_cropped(Text(f"idle: {', '.join(map(printable, idle))}", "dim"))] if idle else [])
    return [topics_table(console, found, found.redis.topics), *([] if degree else _rates_note(found))]


def _rates_note(found: Snapshot) -> Iterator[RenderableType]:
    if found.rates is not None:
        answering = sum(service.answers for service in found.services)
        yield Text(
            f"in: accepted, out: settled; counted by {count_of(answering, 'service')} over {found.rates.seconds:.1f} s", "dim"
        )


def _owners_line(found: Snapshot) -> Text:
    owning = [owner for owner in owners(found.redis) if owner.partitions]
    free = [number for number, lease in enumerate(found.redis.leases) if not lease.left_ms]
    owned = ranges([number for number, lease in enumerate(found.redis.leases) if lease.left_ms])
    line = Text(f"{count_of(len(owning), 'processor')}, partitions {owned or 'none'}")
    return _cropped(line.append(f", no owner {ranges(free)}", "bold red") if free else line)


def _services_line(services: Sequence[ServiceReport]) -> Text:
    """Return the services in one line: those with something to say first, and how many others are ready."""
    special = [one for one in services if one.problems or one.spool_events]
    parts = [_special(one) for one in special]
    if ready := len(services) - len(special):
        parts.append(Text.from_markup(f"{count_of(ready, 'service')} [green]ready[/]"))
    return _cropped(Text(", ").join(parts))


def _special(service: ServiceReport) -> Text:
    spool = f", {count_of(service.spool_events, 'event')} in its spool" if service.spool_events else ""
    return Text.assemble(printable(service.name), " ", Text.from_markup(state_of(service)), (spool, "yellow"))
