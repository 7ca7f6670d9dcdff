"""A dead letter: an event that was given up, and why.

Wire format. An entry of a dead-letter stream has the fields that the event had in its topic's stream, byte for byte and in
their order (see `shared/hookline_shared/event.py`), or whatever an entry had that is no event. After them come these:

    dead.reason      rejected, exhausted, timed_out, unhandled, undecodable or poison
    dead.error       type of the error
    dead.message     its message
    dead.traceback   the end of its traceback, or empty
    dead.attempts    failed attempts, the last one included
    dead.first_at    Unix time in milliseconds of the first failure
    dead.at          Unix time in milliseconds of the last failure
    dead.topic       topic it came from
    dead.entry       its entry id there

An entry that is no event may have such names among its own, so the letter begins at the last `dead.reason` of the entry, if
nothing but names that begin with `dead.` follow. `scripts/replay.lua` goes by the same rule.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple, Self

from hookline_shared.errors import HooklineError, UndecodableError
from hookline_shared.event import Event, ReplayHistory, decode, parse_count, replay_history_of

_PREFIX: Final = b"dead."
_FIRST: Final = b"dead.reason"
_ID: Final = re.compile(r"(\d{1,4}):(\d{1,20}-\d{1,20})", re.ASCII)


class DeadLetterId(NamedTuple):
    """Where a dead letter lies: written as in `3:1718000000000-0`."""

    partition: int
    entry: str

    def __str__(self) -> str:
        return f"{self.partition}:{self.entry}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` gave.

        Raises:
            HooklineError: if `text` is none.

        """
        found = _ID.fullmatch(text)
        if found is None:
            raise HooklineError(
                f"{text!r} is not the id of a dead letter. Ids look like 3:1718000000000-0; `hookline dead list` shows them."
            )
        return cls(int(found[1]), found[2])


class DeadLetter:
    """One dead letter, decoded as far as it is looked at. Its texts are whatever UTF-8 makes of the bytes."""

    def __init__(self, partition: int, entry: str, fields: Sequence[bytes]) -> None:
        self.id = DeadLetterId(partition, entry)
        at = _beginning(fields)
        self.own = fields[:at]
        """Names and values by turns, as in the topic's stream."""
        self._told = dict(zip(fields[at::2], fields[at + 1 :: 2], strict=False))

    @property
    def died_at(self) -> int:
        """Unix time in milliseconds, by the clock of Redis."""
        return int(self.id.entry.partition("-")[0])

    @property
    def reason(self) -> str:
        """Why it was given up; empty if it does not say."""
        return self._tell("reason")

    @property
    def topic(self) -> str:
        """Where it came from; empty if it does not say."""
        return self._tell("topic")

    @property
    def entry(self) -> str:
        """Its entry id there."""
        return self._tell("entry")

    @property
    def error(self) -> str:
        """Type and message of the last error."""
        return ": ".join(filter(None, (self._tell("error"), self._tell("message"))))

    @property
    def traceback(self) -> str:
        """The end of the last error's traceback."""
        return self._tell("traceback")

    @property
    def attempts(self) -> int:
        """Attempts that failed, in this life."""
        return self._number("attempts")

    @property
    def first_failed_at(self) -> int:
        """Unix time in milliseconds of the first failure of this life; 0 if unknown."""
        return self._number("first_at")

    @cached_property
    def _named(self) -> Mapping[bytes, bytes]:
        return dict(zip(self.own[::2], self.own[1::2], strict=False))

    @property
    def event_id(self) -> str:
        """The event's id; empty if there is none."""
        return _text(self._named.get(b"id"))

    @property
    def kind(self) -> str:
        """The event's kind; empty if there is none."""
        return _text(self._named.get(b"kind"))

    @property
    def key(self) -> str:
        """The event's ordering key; empty if there is none."""
        return _text(self._named.get(b"key"))

    @property
    def account(self) -> str:
        """The event's account SID; empty if there is none."""
        return _text(self._named.get(b"account"))

    @property
    def past(self) -> ReplayHistory:
        """What is known of earlier lives."""
        return replay_history_of(self._named)

    @cached_property
    def event(self) -> Event | None:
        """The event, None if it cannot be decoded."""
        try:
            return decode(self.own)
        except UndecodableError:
            return None

    def _tell(self, name: str) -> str:
        return _text(self._told.get(_PREFIX + name.encode()))

    def _number(self, name: str) -> int:
        return parse_count(self._tell(name))


def _beginning(fields: Sequence[bytes]) -> int:
    """Return the place in `fields` at which the letter begins and the event's own fields end."""
    at = len(fields)
    while at >= 2 and fields[at - 2].startswith(_PREFIX):  # noqa: PLR2004 - a name and its value
        at -= 2
        if fields[at] == _FIRST:
            break
    return at


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
