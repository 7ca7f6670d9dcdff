"""Dead letters by their error: those whose errors differ only in numbers, ids and quoted values are one group. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from hookline_cli.dead.rows import error_of
from hookline_cli.output.durations import format_duration
from hookline_cli.output.redaction import Redaction
from hookline_cli.output.terminal import one_line, printable
from hookline_shared.dead_letter import DeadLetter

_VARIABLE: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\+?[0-9a-fA-F]{6,}|[A-Z]{2}[0-9a-f]{32}|\+?\d+")
"""What differs between two errors of the same sort: quoted values, ids, and numbers."""
_COMPARED: Final = 300
"""Characters of an error that are compared: a message may quote a whole body."""
_MOST_GROUPS: Final = 1000
"""Groups that are kept in memory; all further errors are one group."""
_OTHERS: Final = ("", "other errors")
_SHOWN: Final = 200


class ErrorGroup:
    """The letters with one error: their number, how many of each kind, when the first and the last died, and the last one."""

    def __init__(self, newest: DeadLetter) -> None:
        self.count = 0
        self.kinds: Counter[str] = Counter()
        self.oldest_ms = newest.died_at
        self.newest = newest

    def add(self, letter: DeadLetter) -> None:
        """Add a letter."""
        self.count += 1
        self.kinds[letter.kind] += 1
        self.oldest_ms = min(self.oldest_ms, letter.died_at)
        if letter.died_at >= self.newest.died_at:
            self.newest = letter

    def as_object(self, redaction: Redaction) -> dict[str, object]:
        """Return the --json output for it."""
        return {
            "count": self.count,
            "reason": self.newest.reason,
            "error": error_of(self.newest, redaction),
            "kinds": dict(self.kinds),
            "oldest_died_at": self.oldest_ms,
            "newest_died_at": self.newest.died_at,
            "newest_id": str(self.newest.id),
        }


class ErrorGroups:
    """Groups letters as they are added."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], ErrorGroup] = {}

    def add(self, letter: DeadLetter) -> None:
        """Add a letter to its group."""
        key = key_of(letter)
        if key not in self._groups and len(self._groups) >= _MOST_GROUPS:
            key = _OTHERS
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = ErrorGroup(letter)
        group.add(letter)

    def by_size(self) -> list[ErrorGroup]:
        """Return the groups, the largest first."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, -group.newest.died_at))


def key_of(letter: DeadLetter) -> tuple[str, str]:
    """Return what letters of one group have in common."""
    return letter.reason, pattern_of(letter.error)


def pattern_of(error: str) -> str:
    """Return what `error` has in common with others of its sort."""
    return _VARIABLE.sub("…", error[:_COMPARED])


def table(groups: Iterable[ErrorGroup], redaction: Redaction, now_ms: int) -> Table:
    """Return the table of `groups`."""
    made = Table("letters", "newest", "reason", "kind", "error", "newest id", box=None, pad_edge=False)
    made.columns[0].justify = "right"
    made.columns[5].min_width = 17
    for group in groups:
        age = format_duration(now_ms - group.newest.died_at)
        words = (f"{group.count:,}", age, printable(group.newest.reason), _kinds(group))
        error = one_line(error_of(group.newest, redaction), _SHOWN)
        made.add_row(*map(Text, words), Text(error), Text(str(group.newest.id)))
    return made


def objects(groups: Sequence[ErrorGroup], redaction: Redaction) -> list[dict[str, object]]:
    """Return the --json output for `groups`."""
    return [group.as_object(redaction) for group in groups]


def _kinds(group: ErrorGroup) -> str:
    (kind, _), *others = group.kinds.most_common()
    return printable(kind or "no event") + (f" and {len(others)} more" if others else "")
