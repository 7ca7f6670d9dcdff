"""Dead letters as rows of a table, or as JSON objects."""

from collections.abc import Iterable, Mapping
from typing import Final

from rich.table import Table
from rich.text import Text

from hookline_cli.output.durations import format_duration
from hookline_cli.output.event_fields import event_object
from hookline_cli.output.redaction import Redaction
from hookline_cli.output.terminal import one_line, printable
from hookline_shared.dead_letter import DeadLetter

_LONGEST_ERROR: Final = 200


def table(letters: Iterable[DeadLetter], redaction: Redaction, now_ms: int) -> Table:
    """Return the table of `letters`."""
    made = Table("id", "age", "topic", "kind", "reason", "error", "attempts", box=None, pad_edge=False)
    made.columns[0].no_wrap = True
    made.columns[0].min_width = 17
    for letter in letters:
        words = (letter.id, format_duration(now_ms - letter.died_at), letter.topic, letter.kind, letter.reason)
        cells = [Text(printable(str(word))) for word in words]
        made.add_row(*cells, Text(one_line(error_of(letter, redaction), _LONGEST_ERROR)), _attempts(letter))
    return made


def as_object(letter: DeadLetter, redaction: Redaction) -> dict[str, object]:
    """Return the --json output for a letter. Times are Unix time in milliseconds."""
    return {
        "id": str(letter.id),
        "died_at": letter.died_at,
        "first_failed_at": letter.first_failed_at,
        "topic": letter.topic,
        "kind": letter.kind,
        "reason": letter.reason,
        "error": error_of(letter, redaction),
        "attempts": letter.attempts,
        "event_id": letter.event_id,
        "account": letter.account,
        "key": redaction.key(letter.key),
        "decodable": letter.event is not None,
        "lives": letter.replay_history.lives,
    }


def details(letter: DeadLetter, redaction: Redaction) -> dict[str, object]:
    """Return the output of `dead show --json`: the letter and its full content."""
    event, past = letter.event, letter.replay_history
    told = as_object(letter, redaction) | {"traceback": redaction.error(letter.traceback, event), "entry": letter.entry}
    if past.lives:
        told["first_life"] = {"died_at": past.died_at, "reason": past.reason, "topic": past.topic, "entry": past.entry}
    if event is None:
        return told | {"fields": redaction.raw(letter.event_fields)}
    return told | event_object(event, redaction)


def counts(reasons: Mapping[str, int]) -> str:
    """Return the number of letters for each reason, the most frequent first."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{printable(reason) or 'no reason given'} {number}" for reason, number in ordered)


def error_of(letter: DeadLetter, redaction: Redaction) -> str:
    """Return the error of `letter`, masked by `redaction`."""
    return redaction.error(letter.error, letter.event)


def _attempts(letter: DeadLetter) -> str:
    lives = letter.replay_history.lives
    return f"{letter.attempts}, replayed {lives}x" if lives else str(letter.attempts)
