"""What happens to events, as one sees it from beside the services. Pure: it is told, and tells on."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from hookline_shared.broker.follow import Arrival, Place
from hookline_shared.errors import UndecodableError
from hookline_shared.event import Event, decode
from hookline_shared.letter import Letter, LetterId

MOST_FOLLOWED: Final = 10_000
"""Events that are followed until they are settled; beyond that the oldest are let go."""


class Happening(NamedTuple):
    """`what` is accepted, settled or dead. `at` is Unix time in milliseconds by the clock of Redis, of a settlement roughly.

    `event` is None if it cannot be decoded. `lives` counts earlier lives. `took_ms` is the time since it was accepted, `letter`
    its dead letter, where these are known.
    """

    what: str
    at: int
    place: Place
    event: Event | None
    lives: int = 0
    took_ms: int | None = None
    letter: Letter | None = None

    @property
    def letter_id(self) -> LetterId | None:
        """The id of its dead letter."""
        return self.letter.id if self.letter else None


Wanted = Callable[[str, Event | None], bool]
"""Tells whether the events of a topic, or one of them, are wanted."""


class Happenings:
    """Follows wanted events from when they are accepted to when they are settled or dead."""

    def __init__(self, wanted: Wanted, most: int = MOST_FOLLOWED) -> None:
        self._wanted = wanted
        self._most = most
        self._followed: dict[Place, Event | None] = {}

    def next_to_ask(self, most: int) -> list[Place]:
        """Give the `most` events that have not been asked about for longest, and put them behind the others."""
        places = list(self._followed)[:most]
        for place in places:
            self._followed[place] = self._followed.pop(place)
        return places

    def accepted(self, arrivals: Iterable[Arrival]) -> list[Happening]:
        """Take new entries."""
        found = []
        for place, fields in arrivals:
            letter = Letter(place.partition, place.entry, fields)
            event = _decoded(fields)
            if self._wanted(place.topic, event):
                self._follow(place, event)
                found.append(Happening("accepted", _moment(place.entry), place, event, letter.past.lives))
        return found

    def ended(self, gone: Sequence[Place], letters: Sequence[Letter], now_ms: int) -> list[Happening]:
        """Take entries that have left their topics, and the dead letters that came until then and later."""
        dead = [happening for letter in letters if (happening := self._died(letter))]
        settled = [self._settled(place, now_ms) for place in gone if place in self._followed]
        return dead + settled

    def _follow(self, place: Place, event: Event | None) -> None:
        self._followed[place] = event
        if len(self._followed) > self._most:
            del self._followed[next(iter(self._followed))]

    def _died(self, letter: Letter) -> Happening | None:
        place = Place(letter.id.partition, letter.topic, letter.entry)
        known = self._followed.pop(place, None)
        event = known or letter.event
        if not self._wanted(letter.topic, event):
            return None
        took_ms = letter.died_at - _moment(letter.entry) if letter.entry else None
        return Happening("dead", letter.died_at, place, event, letter.past.lives, took_ms, letter)

    def _settled(self, place: Place, now_ms: int) -> Happening:
        event = self._followed.pop(place)
        return Happening("settled", now_ms, place, event, took_ms=max(0, now_ms - _moment(place.entry)))


def _decoded(fields: Sequence[bytes]) -> Event | None:
    try:
        return decode(fields)
    except UndecodableError:
        return None


def _moment(entry: str) -> int:
    moment = entry.partition("-")[0]
    return int(moment) if moment.isascii() and moment.isdecimal() else 0
