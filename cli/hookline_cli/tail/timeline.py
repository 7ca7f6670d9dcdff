"""The timeline of events, as seen in Redis from outside the services. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from hookline_shared.dead_letter import DeadLetter, DeadLetterId
from hookline_shared.errors import UndecodableError
from hookline_shared.event import Event, decode
from hookline_shared.streams.follow import Arrival, StreamPosition

MOST_FOLLOWED: Final = 10_000
MOST_BYTES: Final = 64 << 20
"""The number of events followed until they are settled, and the bytes of their bodies; above it, the oldest are dropped."""


class TimelineEntry(NamedTuple):
    """`what` is accepted, settled or dead. `at` is Unix time in milliseconds by the clock of Redis, approximate for settled.

    `event` is None if it cannot be decoded. `lives` counts its replays. `took_ms` is the time since it was accepted and
    `letter` its dead letter, if these are known.
    """

    what: str
    at: int
    place: StreamPosition
    event: Event | None
    lives: int = 0
    took_ms: int | None = None
    letter: DeadLetter | None = None

    @property
    def letter_id(self) -> DeadLetterId | None:
        """The id of its dead letter, None if it has none."""
        return self.letter.id if self.letter else None


EventFilter = Callable[[str, Event | None], bool]
"""Whether events of a topic, or one such event, are wanted."""


class Timeline:
    """Follows the wanted events from acceptance until they are settled or dead."""

    def __init__(self, wanted: EventFilter, most: int = MOST_FOLLOWED, most_bytes: int = MOST_BYTES) -> None:
        self._filter = wanted
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._followed: dict[StreamPosition, Event | None] = {}

    def next_to_ask(self, most: int) -> list[StreamPosition]:
        """Return the `most` events least recently asked about, and move them to the end."""
        places = list(self._followed)[:most]
        for place in places:
            self._followed[place] = self._followed.pop(place)
        return places

    def accepted(self, arrivals: Iterable[Arrival]) -> list[TimelineEntry]:
        """Note new entries; return the wanted ones."""
        found = []
        for place, fields in arrivals:
            letter = DeadLetter(place.partition, place.entry, fields)
            event = _decoded(fields)
            if self._filter(place.topic, event):
                self._follow(place, event)
                found.append(TimelineEntry("accepted", _entry_ms(place.entry), place, event, letter.replay_history.lives))
        return found

    def ended(self, gone: Sequence[StreamPosition], letters: Sequence[DeadLetter], now_ms: int) -> list[TimelineEntry]:
        """Note the entries `gone` from their topics, and the dead letters read after that; return what happened."""
        dead = [entry for letter in letters if (entry := self._died(letter))]
        settled = [self._settled(place, now_ms) for place in gone if place in self._followed]
        return dead + settled

    def _follow(self, place: StreamPosition, event: Event | None) -> None:
        self._drop(place)
        self._followed[place] = event
        self._bytes += _size(event)
        while len(self._followed) > self._most or (self._bytes > self._most_bytes and len(self._followed) > 1):
            self._drop(next(iter(self._followed)))

    def _drop(self, place: StreamPosition) -> Event | None:
        """Stop following an event; return it."""
        event = self._followed.pop(place, None)
        self._bytes -= _size(event)
        return event

    def _died(self, letter: DeadLetter) -> TimelineEntry | None:
        place = StreamPosition(letter.id.partition, letter.topic, letter.entry)
        known = self._drop(place)
        event = known or letter.event
        if not self._filter(letter.topic, event):
            return None
        took_ms = letter.died_at - _entry_ms(letter.entry) if letter.entry else None
        return TimelineEntry("dead", letter.died_at, place, event, letter.replay_history.lives, took_ms, letter)

    def _settled(self, place: StreamPosition, now_ms: int) -> TimelineEntry:
        event = self._drop(place)
        return TimelineEntry("settled", now_ms, place, event, took_ms=max(0, now_ms - _entry_ms(place.entry)))


def _decoded(fields: Sequence[bytes]) -> Event | None:
    try:
        return decode(fields)
    except UndecodableError:
        return None


def _size(event: Event | None) -> int:
    return len(event.body) if event else 0


def _entry_ms(entry: str) -> int:
    moment = entry.partition("-")[0]
    return int(moment) if moment.isascii() and moment.isdecimal() else 0
