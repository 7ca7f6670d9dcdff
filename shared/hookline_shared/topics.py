"""Topics: kinds of events that share a backlog and a share of the worker slots.

There are seven of them, and `[topics.<name>]` in the TOML file changes them or adds more, for both services alike.
"""

import re
from difflib import get_close_matches
from typing import Annotated, Any, Final

from msgspec import Meta

from hookline_shared.validation import AtLeastOne, InvalidError, Read, SettingsTable, describe_problems, read_table

MESSAGES: Final = "messages"
CALLS: Final = "calls"
CONVERSATIONS: Final = "conversations"
STATUSES: Final = "statuses"
EVENTS: Final = "events"
BULK: Final = "bulk"
OUTBOX: Final = "outbox"
"""The messages that are to be sent. Ingress never writes to it."""

DEFAULT_TOPICS: Final = (MESSAGES, CALLS, CONVERSATIONS, STATUSES, EVENTS, BULK, OUTBOX)
"""The topics that exist without any configuration."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_TAKEN: Final = (
    *(
        "answer",
        "answers",
        "conditions",
        "dead",
        "discarded",
        "lease",
        "ledger",
        "limit",
        "marks",
        "memory",
        "probe",
        "retries",
        "seen",
    ),
    *("cookies", "sent", "sid"),
)
"""Names of other keys, which a topic must not have: see shared/hookline_shared/redis_keys.py."""


class Topic(SettingsTable, frozen=True, kw_only=True):
    """The settings of one topic."""

    weight: Annotated[int, Meta(ge=1, le=1000)] = 1
    """Share of the worker slots while several topics have work."""
    concurrency: AtLeastOne | None = None
    """Largest number of handlers that run at the same time; none: PROCESSOR_CONCURRENCY."""
    ordered: bool = True
    """Whether the events of a conversation are handled one at a time, in order."""


_DEFAULTS: Final = {
    MESSAGES: Topic(weight=4),
    CALLS: Topic(weight=4),
    CONVERSATIONS: Topic(weight=4),
    STATUSES: Topic(weight=2),
    EVENTS: Topic(weight=1),
    BULK: Topic(weight=1),
    OUTBOX: Topic(weight=4),
}


def _read(value: Any) -> dict[str, Topic]:
    """Return all topics, the defaults with the changes in the file.

    Raises:
        ValueError: naming every mistake and its topic.

    """
    if not isinstance(value, dict):
        raise ValueError("it must consist of tables, each with the header [topics.<name>]")  # noqa: TRY004 - reported beside other problems
    topics, problems = dict(_DEFAULTS), []
    for name, table in value.items():
        if problem := _problem_with(name):
            problems.append(problem)
            continue
        try:
            topics[name] = read_table(Topic, table, usual=topics.get(name))
        except InvalidError as error:
            problems += describe_problems(error, name)
    if not topics[OUTBOX].ordered:
        problems.append(f"{OUTBOX}.ordered cannot be false: replies would arrive in any order")
    if problems:
        raise ValueError("; ".join(problems))
    return topics


def _problem_with(name: str) -> str | None:
    if name in _DEFAULTS:
        return None
    if not _NAME.fullmatch(name) or name in _TAKEN:
        return f"{name} is not a valid topic name: use a-z, 0-9, - and _, and none of {', '.join(_TAKEN)}"
    meant = get_close_matches(name, _DEFAULTS, n=1, cutoff=0.8)
    return f"{name} is too similar to {meant[0]}: correct it, or choose another name" if meant else None


def default_topics() -> dict[str, Topic]:
    """Return the topics of an installation that configures none."""
    return dict(_DEFAULTS)


TopicsSetting = Annotated[dict[str, Topic], Read(_read)]
"""All topics by name."""
