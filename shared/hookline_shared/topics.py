"""Topics: kinds of events that share a backlog and a share of the worker slots.

There are six of them, and `[topics.<name>]` in the TOML file changes them or adds more, for both services alike.
"""

import re
from difflib import get_close_matches
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hookline_shared.validation import describe_errors

MESSAGES: Final = "messages"
CALLS: Final = "calls"
CONVERSATIONS: Final = "conversations"
STATUSES: Final = "statuses"
EVENTS: Final = "events"
BULK: Final = "bulk"

DEFAULT_TOPICS: Final = (MESSAGES, CALLS, CONVERSATIONS, STATUSES, EVENTS, BULK)
"""The topics that exist without any configuration."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_TAKEN: Final = ("conditions", "dead", "discarded", "lease", "ledger", "limit", "probe", "retries", "seen")
"""Names of other keys, which a topic must not have: see shared/hookline_shared/keys.py."""


class Topic(BaseModel):
    """The settings of one topic."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    weight: int = Field(1, description="Share of the worker slots while several topics have work", ge=1, le=1000)
    concurrency: int | None = Field(
        None, description="Largest number of handlers that run at the same time; none: PROCESSOR_CONCURRENCY", ge=1
    )
    ordered: bool = Field(True, description="Whether the events of a conversation are handled one at a time, in order")


_DEFAULTS: Final = {
    MESSAGES: Topic(weight=4),
    CALLS: Topic(weight=4),
    CONVERSATIONS: Topic(weight=4),
    STATUSES: Topic(weight=2),
    EVENTS: Topic(weight=1),
    BULK: Topic(weight=1),
}


def _read(value: Any) -> dict[str, Topic]:
    """Return all topics, the defaults with the changes in the file.

    Raises:
        ValueError: naming every mistake and its topic.

    """
    if not isinstance(value, dict):
        raise ValueError("it must consist of tables, each with the header [topics.<name>]")  # noqa: TRY004 - pydantic reports this one
    topics, problems = dict(_DEFAULTS), []
    for name, table in value.items():
        if problem := _problem_with(name):
            problems.append(problem)
            continue
        default = topics.get(name, Topic()).model_dump()
        try:
            topics[name] = Topic.model_validate(default | table if isinstance(table, dict) else table)
        except ValidationError as error:
            problems += describe_errors(error, Topic, name)
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


TopicsSetting = Annotated[dict[str, Topic], BeforeValidator(_read)]
"""All topics by name."""
