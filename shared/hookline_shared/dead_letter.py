"""A dead letter: an event that could not be handled, and the reason.

Wire format. An entry of a dead-letter stream has the fields that the event had in its topic's stream, byte for byte and in
their order (see `shared/hookline_shared/event.py`), or those of an entry that is not an event. These follow:

    dead.reason      rejected, exhausted, timed_out, unhandled, undecodable, poison, dropped, reused, unfit, refused, opted_out,
                     unknown or expired
    dead.error       type of the error
    dead.message     its message
    dead.traceback   the end of its traceback, or empty
    dead.attempts    failed attempts, the last one included
    dead.first_at    Unix time in milliseconds of the first failure
    dead.at          Unix time in milliseconds of the last failure
    dead.topic       topic it came from
    dead.entry       its entry id there

An entry that is not an event may have such names itself. So the letter's fields begin at the last `dead.reason` of the entry,
if only names that begin with `dead.` follow. `scripts/replay.lua` follows the same rule.
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
    """The id of a dead letter: its partition and entry id, written `3:1718000000000-0`."""

    partition: int
    entry: str

    def __str__(self) -> str:
        return f"{self.partition}:{self.entry}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the id that `text` is the string of.

        Raises:
            HooklineError: if it is not an id.

        """
        found = _ID.fullmatch(text)
        if found is None:
            raise HooklineError(
                f"{text!r} is not the id of a dead letter. Ids look like 3:1718000000000-0; `hookline dead list` shows them."
            )
        return cls(int(found[1]), found[2])


class DeadLetter:
    """One dead letter, decoded when a field is read. Bytes that are not UTF-8 are replaced in its texts."""

    def __init__(self, partition: int, entry: str, fields: Sequence[bytes]) -> None:
        self.id = DeadLetterId(partition, entry)
        at = _beginning(fields)
        self.event_fields = fields[:at]
        """The fields of the topic's stream: names and values in turn."""
        self._letter_fields = dict(zip(fields[at::2], fields[at + 1 :: 2], strict=False))

    @property
    def size(self) -> int:
        """The bytes of its event, approximately those of the letter."""
        return sum(map(len, self.event_fields))

    @property
    def died_at(self) -> int:
        """Unix time in milliseconds, by the clock of Redis."""
        return int(self.id.entry.partition("-")[0])

    @property
    def reason(self) -> str:
        """The reason why it is dead; empty if unknown."""
        return self._letter_text("reason")

    @property
    def topic(self) -> str:
        """The topic that it came from; empty if unknown."""
        return self._letter_text("topic")

    @property
    def entry(self) -> str:
        """Its entry id in that topic."""
        return self._letter_text("entry")

    @property
    def error(self) -> str:
        """Type and message of the last error."""
        return ": ".join(filter(None, (self._letter_text("error"), self._letter_text("message"))))

    @property
    def traceback(self) -> str:
        """The end of the last error's traceback."""
        return self._letter_text("traceback")

    @property
    def attempts(self) -> int:
        """The number of failed attempts since it was received or replayed."""
        return self._letter_count("attempts")

    @property
    def first_failed_at(self) -> int:
        """Unix time in milliseconds of the first of them; 0 if unknown."""
        return self._letter_count("first_at")

    @cached_property
    def _named(self) -> Mapping[bytes, bytes]:
        return dict(zip(self.event_fields[::2], self.event_fields[1::2], strict=False))

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
    def replay_history(self) -> ReplayHistory:
        """The history of earlier replays."""
        return replay_history_of(self._named)

    @cached_property
    def event(self) -> Event | None:
        """The event; None if it cannot be decoded."""
        try:
            return decode(self.event_fields)
        except UndecodableError:
            return None

    def _letter_text(self, name: str) -> str:
        return _text(self._letter_fields.get(_PREFIX + name.encode()))

    def _letter_count(self, name: str) -> int:
        return parse_count(self._letter_text(name))


def _beginning(fields: Sequence[bytes]) -> int:
    """Return the index in `fields` at which the letter's fields begin and those of the event end."""
    at = len(fields)
    while at >= 2 and fields[at - 2].startswith(_PREFIX):  # noqa: PLR2004 - a name and its value
        at -= 2
        if fields[at] == _FIRST:
            break
    return at


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
