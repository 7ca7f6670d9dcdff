"""The state of Redis and the services as text for a terminal.

Green is good, yellow is a warning, red is a problem. Zeros and usual values are dim.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hookline_cli.output.redaction import Redaction
from hookline_cli.pause import rows
from hookline_cli.status.service_report import ServiceReport
from hookline_cli.status.snapshot import Owner, Snapshot, TopicState, count_of, owners
from hookline_shared.partitions import ranges

_OLD_S: Final = 60.0
"""The age of the oldest event is yellow from here on."""
_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60))
_LEVELS: Final = {"critical": "red", "warning": "yellow"}
_UNKNOWN: Final = "[dim]?[/]"


def view(found: Snapshot, *, problems: bool = False) -> Group:
    """Return the whole view, with the problems only if `problems` is set: the command prints them afterwards otherwise."""
    parts: list[RenderableType] = [_headline(found)]
    if found.redis.topics:
        parts += ["", _topics(found), *_rates_note(found)]
    if found.redis.leases or found.redis.processors:
        parts += ["", _processors(found)]
    if found.redis.pauses:
        parts += ["", rows.table(found.redis.pauses, Redaction(reveal=False), found.at_ms)]
    if any(service.answers for service in found.services):
        parts += ["", _services(found.services)]
    lines = [_line(_LEVELS[alert.level], alert.level, f"{who}: {alert.title}: {alert.text}") for who, alert in found.alerts()]
    lines += [_line("yellow", "warning", f"{who}: {warning}") for who, warning in found.warnings()]
    if problems:
        lines += [_line("red", "problem", problem) for problem in found.problems()]
    return Group(*parts, *([""] if lines else []), *lines)


def _headline(found: Snapshot) -> Text:
    line = Text.assemble(("Hookline", "bold"), "  ", _verdict(found))
    servers = list(dict.fromkeys(found.redis.servers))
    if servers:
        times = f" ({len(found.redis.servers)} masters)" if len(found.redis.servers) > 1 else ""
        line.append(f"  {'; '.join(servers)}{times}", "dim")
    if found.redis.partitions:
        line.append(f"  {count_of(found.redis.partitions, 'partition')}", "dim")
    return line.append(f"  {datetime.fromtimestamp(found.at_ms / 1000).astimezone():%H:%M:%S}", "dim")


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


def _topics(found: Snapshot) -> Table:
    table = _table("topic")
    for name in ("backlog", "oldest", "pending", "waiting", "dead", "in/s", "out/s"):
        table.add_column(name, justify="right", no_wrap=True)
    for topic, state in found.redis.topics.items():
        rate = found.rate(topic)
        table.add_row(
            escape(topic),
            _number(state.events),
            _oldest(state, found.at_ms),
            _number(state.pending),
            _number(state.waiting, "yellow"),
            _number(state.dead, "red"),
            *map(_per_s, rate),
        )
    return table


def _rates_note(found: Snapshot) -> Iterator[RenderableType]:
    if found.rates is not None:
        answering = sum(service.answers for service in found.services)
        yield Text(
            f"in: accepted, out: settled; counted by {count_of(answering, 'service')} over {found.rates.seconds:.1f} s", "dim"
        )


def _processors(found: Snapshot) -> Table:
    table = _table("processor", "owns partitions", "expires in", "last heartbeat")
    for owner in owners(found.redis):
        table.add_row(escape(owner.name), ranges(owner.partitions) or "[dim]none[/]", _lease(owner), _heard(owner))
    free = [number for number, lease in enumerate(found.redis.leases) if not lease.left_ms]
    if free:
        table.add_row("[bold red]no owner[/]", f"[bold red]{ranges(free)}[/]", "", "")
    return table


def _services(services: Iterable[ServiceReport]) -> Table:
    table = _table("service", "admin port", "state", "spool", "breakers")
    for service in services:
        breakers = ", ".join(_breaker(name, state) for name, state in service.breakers.items())
        table.add_row(
            escape(service.name), escape(f"{service.host}:{service.port}"), _state(service), _spool(service), breakers
        )
    return table


def _state(service: ServiceReport) -> str:
    """Return the names of the failing checks; their texts are listed with the problems, as they are too long for the table."""
    if not service.answers:
        return "[red]no answer[/]"
    if service.refuses_token:
        return "[red]needs ADMIN_TOKEN[/]"
    failing = ", ".join(dict.fromkeys(problem.partition(":")[0] for problem in service.problems))
    return f"[red]not ready: {escape(failing)}[/]" if failing else "[green]ready[/]"


def _spool(service: ServiceReport) -> str:
    if service.spool_events is None:
        return ""
    if not service.spool_events:
        return "[dim]empty[/]"
    return f"[yellow]{count_of(service.spool_events, 'event')}, {_size(service.spool_bytes or 0)}[/]"


def _breaker(name: str, state: str) -> str:
    colour = {"closed": "green", "half-open": "yellow"}.get(state, "bold red")
    return f"{escape(name)} [{colour}]{state}[/]"


def _line(colour: str, label: str, text: str) -> Text:
    return Text.assemble((label, colour), " ", text)


def _table(*columns: str) -> Table:
    return Table(*columns, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)


def _number(value: int, colour: str = "bold") -> str:
    return f"[{colour}]{value:,}[/]" if value else "[dim]0[/]"


def _per_s(value: float | None) -> str:
    if value is None:
        return _UNKNOWN
    return f"{value:,.1f}" if value else "[dim]0[/]"


def _oldest(state: TopicState, now_ms: int) -> str:
    if state.oldest_ms is None:
        return ""
    age_s = max(0, now_ms - state.oldest_ms) / 1000
    return f"[yellow]{duration(age_s)}[/]" if age_s >= _OLD_S else duration(age_s)


def _lease(owner: Owner) -> str:
    return f"{owner.left_ms / 1000:.1f} s" if owner.partitions else ""


def _heard(owner: Owner) -> str:
    if owner.silent_ms is None:
        return "[yellow]none lately[/]"
    return f"{owner.silent_ms / 1000:.1f} s ago"


def duration(seconds: float) -> str:
    """Return a duration in its largest unit."""
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _size(count: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004 - the unit's own
            return f"{count} {unit}"
        count //= 1000
    return f"{count} GB"
