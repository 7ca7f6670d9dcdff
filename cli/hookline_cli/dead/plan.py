"""Which dead letters are replayed, and in which order. Pure."""

from collections import Counter, deque
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple, Self

from hookline_shared.broker.dead import Move
from hookline_shared.letter import Letter

_UNDECODABLE: Final = (
    "this version cannot decode them, and its processor would let them die again at once: use the `hookline` of the version "
    "that wrote them, or add --force"
)


class Order(NamedTuple):
    """Where an event stands among those of its key: when it arrived, by its entry id in its first life, then its event id.

    Event ids are made by the clocks of several ingresses, and within a millisecond by chance; entry ids by the one server that
    has the partition, in the order of arrival.
    """

    arrived_at: int
    sequence: int
    event_id: str

    @classmethod
    def of(cls, letter: Letter) -> Self:
        """Give the order of the event in `letter`."""
        moment, _, sequence = (letter.past.entry or letter.entry).partition("-")
        if not (moment.isascii() and moment.isdecimal()):
            return cls(_moment_of(letter), 0, letter.event_id)
        return cls(int(moment), int(sequence) if sequence.isdecimal() else 0, letter.event_id)


def _moment_of(letter: Letter) -> int:
    """Give when the event was made, going by its id, else when it died; both in Unix time in milliseconds."""
    try:
        return int(letter.event_id[:12], 16)
    except ValueError:
        return letter.died_at


class Plan:
    """Gathers letters to be replayed. Those that would be of no use stay, and are counted by why; with `force`, those that
    cannot be decoded are no exception. `topics` are all that the processor handles."""

    def __init__(self, topics: Collection[str], *, force: bool, sample: int = 5) -> None:
        self.kinds: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[str] = Counter()
        self.sample: list[Letter] = []
        self._topics = topics
        self._force = force
        self._most_in_sample = sample
        self._moves: dict[int, list[tuple[Order, Move]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._moves.values()))

    def see(self, letter: Letter) -> None:
        """Take a letter that is selected."""
        if why := self._objection(letter):
            self.refused[why] += 1
            return
        self.kinds[letter.topic, letter.kind] += 1
        self._moves.setdefault(letter.id.partition, []).append((Order.of(letter), Move(letter.id.entry, letter.topic)))
        if len(self.sample) < self._most_in_sample:
            self.sample.append(letter)

    def queues(self) -> Iterator[tuple[int, deque[Move]]]:
        """Give the letters of each partition in the order in which they shall be replayed."""
        for partition, moves in self._moves.items():
            yield partition, deque(move for _, move in sorted(moves))

    def _objection(self, letter: Letter) -> str | None:
        if not letter.own:
            return "nothing of the event is left in them"
        if letter.topic not in self._topics:
            return f"topic {letter.topic or '(none)'} is not known here: set HOOKLINE_CONFIG as the services have it"
        if letter.event is None and not self._force:
            return _UNDECODABLE
        return None
