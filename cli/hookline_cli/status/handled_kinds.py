"""Processors whose handlers differ: the same event is handled by one of them, and is a dead letter of another. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from hookline_processor.api.patterns import patterns_for
from hookline_shared.readers.published import Published
from hookline_shared.readers.survey import Gap, Processor

_HANDLED, _IGNORED, _UNKNOWN = "handles", "ignores", "has no handler for"
_MEANING: Final = {
    _UNKNOWN: "In its partitions, these events wait for a processor that has one, and are dead letters after "
    "PROCESSOR_UNHANDLED_WAIT_S.",
    _IGNORED: "In its partitions, these events are dropped.",
}
_REMEDY: Final = "Give all processors the same handlers: finish the deployment, or restart those with old code."


def differences(processors: Iterable[Processor]) -> list[Gap]:
    """Return each group of processors that leaves kinds to others, naming kinds and processors.

    A processor that publishes nothing is unknown, and is left out.
    """
    known = {one.name: one.published for one in processors if one.published is not None}
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for kind in sorted({kind for one in known.values() for kind in (*one.handled, *one.ignored)}):
        actions = {name: _action(one, kind) for name, one in known.items()}
        if _HANDLED not in actions.values():
            continue
        for action in (_UNKNOWN, _IGNORED):
            if names := tuple(name for name, taken in actions.items() if taken == action):
                found.setdefault((action, names), []).append(kind)
    return [_gap(action, names, kinds) for (action, names), kinds in found.items()]


def _action(published: Published, kind: str) -> str:
    for pattern in patterns_for(kind):
        if pattern in published.handled:
            return _HANDLED
        if pattern in published.ignored:
            return _IGNORED
    return _UNKNOWN


def _gap(action: str, names: Sequence[str], kinds: Sequence[str]) -> Gap:
    who = f"Processor {names[0]}" if len(names) == 1 else f"Each of the processors {', '.join(names)}"
    found = f"{who} {action} {', '.join(kinds)}, which other processors handle."
    return Gap(found, _MEANING[action], _REMEDY)
