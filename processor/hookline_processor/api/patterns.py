"""Patterns that a handler is registered for: a kind, a prefix of kinds, all kinds, or the class of an event."""

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Final

from hookline_processor.api.errors import HandlersError
from hookline_processor.api.functions import calling_place
from hookline_processor.events.events import EVENT_CLASSES
from hookline_shared.catalogue.kinds import FAMILIES, SINGLE
from hookline_shared.catalogue.webhook_event import WebhookEvent

_PATTERN: Final = re.compile(r"\*|[^*]+(\.\*)?")
_PREFIXES: Final = sorted({f"{kind.partition('.')[0]}.*" for kind in SINGLE if "." in kind})
_FAMILIES: Final = [f"{family}.*" for family in FAMILIES]
_SAME_FAMILY: Final = 0.75
"""The least similarity of a misspelled family name. Only the family is compared: Twilio may add any name after it."""


def patterns_of(kinds: Collection[str | type[WebhookEvent]]) -> list[str]:
    """Return the patterns that `kinds`, strings or classes of events, stand for, without duplicates.

    Raises:
        HandlersError: if `kinds` is empty, or contains an unknown kind or a class that no event has.

    """
    if not kinds or not all(isinstance(kind, str | type) for kind in kinds):
        raise HandlersError(
            f'No kind of event is named ({calling_place()}). Name it: @handlers.on(MessageReceived) or "message.received".'
        )
    patterns = dict.fromkeys(kind if isinstance(kind, str) else _checked_class(kind).kind for kind in kinds)
    problem = next(filter(None, map(problem_with, patterns)), None)
    if problem is not None:
        raise HandlersError(f"{problem} ({calling_place()})")
    return list(patterns)


def problem_with(pattern: str) -> str | None:
    """Return why `pattern` is invalid and what to write instead, or None if it is valid."""
    if not _PATTERN.fullmatch(pattern):
        return (
            f'"{pattern}" is no kind. Write all of it, such as "message.received"; a "*" stands alone, or for all that '
            'follows a dot, such as "message.*" or "taskrouter.reservation.*".'
        )
    if _is_known(pattern):
        return None
    suggestion = _nearest(pattern)
    remedy = f'Did you mean "{suggestion}"?' if suggestion else f"The kinds are {', '.join([*SINGLE, *_FAMILIES])}."
    return f'There is no kind "{pattern}", so nothing would come of it. {remedy}'


def patterns_for(kind: str) -> Iterator[str]:
    """Yield the patterns that match `kind`, the most specific first."""
    yield kind
    family = kind
    while "." in family:
        family, _, _ = family.rpartition(".")
        yield f"{family}.*"
    yield "*"


def _checked_class(named: type[WebhookEvent]) -> type[WebhookEvent]:
    if named not in EVENT_CLASSES:
        base = next((one.__name__ for one in named.__mro__ if one in EVENT_CLASSES), None)
        remedy = f"Events come as {base}: name that." if base else 'Name one such as MessageReceived, or "message.received".'
        raise HandlersError(f"{named.__qualname__} is not the class of any event ({calling_place()}). {remedy}")
    return named


def _is_known(pattern: str) -> bool:
    family, _, name = pattern.partition(".")
    if family in FAMILIES:
        return bool(name)
    return pattern in ("*", *SINGLE, *_PREFIXES)


def _nearest(pattern: str) -> str | None:
    family, _, name = pattern.partition(".")
    families = get_close_matches(family.lower(), FAMILIES, 1, _SAME_FAMILY)
    if families:
        return f"{families[0]}.{name or '*'}"
    known = get_close_matches(pattern.lower(), [*SINGLE, *_PREFIXES], 1)
    return known[0] if known else None
