"""The tables of `hookline status`, without the columns for which the terminal is too narrow.

Green is good, yellow is a warning, red is a problem. Zeros and usual values are dim.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from hookline_cli.status.service_report import ServiceReport
from hookline_cli.status.snapshot import Owner, Snapshot, TopicState, count_of, owners
from hookline_shared.partitions import ranges

_OLD_S: Final = 60.0
"""The age of the oldest event is yellow from here on."""
_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60))
_UNKNOWN: Final = "[dim]?[/]"
_WIDE: Final = 10_000
"""The width of a terminal on which a table shows how wide it would like to be."""
_NUMBERS: Final = ("backlog", "oldest", "pending", "waiting", "dead", "in/s", "out/s")


def is_busy(found: Snapshot, topic: str) -> bool:
    """Whether there is anything to see in the row of `topic`."""
    state = found.redis.topics[topic]
    return any((state.events, state.pending, state.waiting, state.dead, *(found.rate(topic))))


def topics_table(console: Console, found: Snapshot, names: Iterable[str]) -> Table:
    """Return the table of the topics with these names."""
    rows = [_topic_row(found, name) for name in names]
    return _fitting(console, ("topic", *_NUMBERS), rows, _NUMBERS, ("pending", "in/s", "out/s", "oldest"))


def _topic_row(found: Snapshot, topic: str) -> list[str]:
    state = found.redis.topics[topic]
    return [
        escape(topic),
        _number(state.events),
        _oldest(state, found.at_ms),
        _number(state.pending),
        _number(state.waiting, "yellow"),
        _number(state.dead, "red"),
        *map(_per_s, found.rate(topic)),
    ]


def processors_table(console: Console, found: Snapshot) -> Table:
    """Return the table of the processors and their partitions."""
    rows = [
        [escape(owner.name), ranges(owner.partitions) or "[dim]none[/]", _lease(owner), _heard(owner)]
        for owner in owners(found.redis)
    ]
    free = [number for number, lease in enumerate(found.redis.leases) if not lease.left_ms]
    if free:
        rows.append(["[bold red]no owner[/]", f"[bold red]{ranges(free)}[/]", "", ""])
    titles = ("processor", "owns partitions", "expires in", "last heartbeat")
    return _fitting(console, titles, rows, (), ("last heartbeat", "expires in"))


def services_table(console: Console, services: Iterable[ServiceReport]) -> Table:
    """Return the table of the services."""
    rows = [
        [
            escape(service.name),
            escape(f"{service.host}:{service.port}"),
            state_of(service),
            _spool(service),
            ", ".join(_breaker(name, state) for name, state in service.breakers.items()),
        ]
        for service in services
    ]
    return _fitting(console, ("service", "admin port", "state", "spool", "breakers"), rows, (), ("admin port", "breakers"))


def _fitting(
    console: Console, titles: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str], expendable: Sequence[str]
) -> Table:
    """Return a table without as many of the `expendable` columns, in this order, as it takes to fit the width."""
    for number in range(len(expendable) + 1):
        table = _table(titles, rows, right, expendable[:number])
        if Measurement.get(console, console.options.update(max_width=_WIDE), table).maximum <= console.width:
            break
    return table


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str], left_out: Collection[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    kept = [number for number, title in enumerate(titles) if title not in left_out]
    for number in kept:
        is_number = titles[number] in right
        table.add_column(titles[number], justify="right" if is_number else "left", no_wrap=is_number)
    for row in rows:
        table.add_row(*(row[number] for number in kept))
    return table


def state_of(service: ServiceReport) -> str:
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
