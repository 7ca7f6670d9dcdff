"""What is wrong, as one list: each issue in one sentence, ordered by the harm that it does. Pure."""

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from hookline_cli.status.service_alert import ServiceAlert
from hookline_cli.status.snapshot import Problem, Snapshot

_SENTENCE_END: Final = re.compile(r"(?<=[.!?]) (?=[A-Z`])")
_IMPACT: Final = " Impact: "


class Harm(IntEnum):
    """What an issue does to the events, the worst first."""

    LOST = 0
    """Webhooks or accepted events are being lost."""
    AT_RISK = 1
    """Nothing is lost yet. Events are in one place only, or the next failure loses some."""
    STUCK = 2
    """Events are safe, and are not handled."""
    LATE = 3
    """Events are handled late, or some are dead letters."""
    NOTE = 4
    """Somebody decided so, or it is about to pass."""


_ALERTS: Final = {
    "refusals_high": Harm.LOST,
    "signatures_failing": Harm.LOST,
    "data_gone": Harm.LOST,
    "spool_refusing": Harm.LOST,
    "spool_filling": Harm.AT_RISK,
    "disk_low": Harm.AT_RISK,
    "redis_at_risk": Harm.AT_RISK,
    "spool_waiting": Harm.AT_RISK,
    "partitions_differ": Harm.AT_RISK,
    "processor_down": Harm.STUCK,
    "partitions_unowned": Harm.STUCK,
    "topic_unread": Harm.STUCK,
    "breaker_open": Harm.STUCK,
    "backlog_high": Harm.STUCK,
    "ledger_behind": Harm.STUCK,
}
"""The harm of alerts; all others are `LATE`."""
_PROBLEMS: Final = {
    Problem.REFUSAL: Harm.LOST,
    Problem.INGRESS: Harm.LOST,
    Problem.NOBODY: Harm.LOST,
    Problem.REDIS: Harm.AT_RISK,
    Problem.SERVICE: Harm.AT_RISK,
    Problem.PROCESSOR: Harm.STUCK,
    Problem.UNOWNED: Harm.STUCK,
    Problem.UNREAD: Harm.STUCK,
}
_WARNINGS: Final = {"redis": Harm.AT_RISK, "pauses": Harm.NOTE, "handlers": Harm.LATE, "dead letters": Harm.LATE}
"""The harm of warnings by where they come from; those of a service are `LATE`."""
_LEVELS: Final = ("problem", "critical", "warning")
_TOLD_BY: Final = {
    "processor_down": Problem.UNOWNED,
    "partitions_unowned": Problem.UNOWNED,
    "topic_unread": Problem.UNREAD,
    "refusals_high": Problem.REFUSAL,
}
"""Alerts that say the same as a problem, which is seen now and is more precise."""


class Issue(NamedTuple):
    """One issue: `level` is problem, critical or warning, `found` one sentence, `more` its meaning and its remedy."""

    harm: Harm
    level: str
    found: str
    more: str = ""

    def as_object(self) -> dict[str, str]:
        """Return the --json output for it."""
        return {"level": self.level, "harm": self.harm.name.lower(), "found": self.found, "more": self.more}


def issues(found: Snapshot) -> list[Issue]:
    """Return every issue, the most harmful first; within one harm problems, then critical alerts, then warnings."""
    problems = found.found_problems()
    known = {kind for kind, _ in problems}
    every = [_issue(_PROBLEMS[kind], "problem", text) for kind, text in problems]
    every += _alerts([pair for pair in found.alerts() if _TOLD_BY.get(pair[1].name) not in known])
    every += [_issue(_WARNINGS.get(who, Harm.LATE), "warning", f"{who}: {text}") for who, text in found.warnings()]
    return sorted(every, key=lambda one: (one.harm, _LEVELS.index(one.level)))


def _alerts(firing: Sequence[tuple[str, ServiceAlert]]) -> Iterator[Issue]:
    """Yield one issue for each alert, with all services that fire it with the same text."""
    same: dict[tuple[str, str, str], list[str]] = {}
    for who, alert in firing:
        same.setdefault((alert.level, alert.title, alert.text), []).append(who)
    for (level, title, text), names in same.items():
        summary, mark, more = text.partition(_IMPACT)
        heading = f"{', '.join(names)}: {title}: "
        harm = _ALERTS.get(title.partition(" ")[0], Harm.LATE)
        yield Issue(harm, level, heading + summary, mark.lstrip() + more) if mark else _issue(harm, level, heading + text)


def _issue(harm: Harm, level: str, text: str) -> Issue:
    found, *more = _SENTENCE_END.split(text, maxsplit=1)
    return Issue(harm, level, found, "".join(more))
