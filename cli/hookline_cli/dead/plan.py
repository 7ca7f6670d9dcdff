"""Decide which dead letters are replayed, and in which order. Pure."""

from collections import Counter, deque
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple, Self

from hookline_shared.dead_letter import DeadLetter
from hookline_shared.streams.dead_letters import Move

_UNDECODABLE: Final = (
    "this version cannot decode them, so its processor would make them dead letters again at once: use the `hookline` of the "
    "version that wrote them, or add --force"
)


class Order(NamedTuple):
    """The place of an event among those of its key: by its first entry id, then by its event id.

    Entry ids come from the one server that has the partition, in the order of arrival. Event ids come from the clocks of
    several ingresses, and are random within a millisecond.
    """

    arrived_at: int
    sequence: int
    event_id: str

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        """Return the order of the event in `letter`."""
        moment, _, sequence = (letter.replay_history.entry or letter.entry).partition("-")
        if not (moment.isascii() and moment.isdecimal()):
            return cls(_created_ms(letter), 0, letter.event_id)
        return cls(int(moment), int(sequence) if sequence.isdecimal() else 0, letter.event_id)


def _created_ms(letter: DeadLetter) -> int:
    """Return when the event was created according to its id, else when it died, in Unix time in milliseconds."""
    try:
        return int(letter.event_id[:12], 16)
    except ValueError:
        return letter.died_at


class Plan:
    """Collects letters to replay. Letters whose replay cannot succeed are refused, and counted by reason; with `force`, those
    that cannot be decoded are not refused. `topics` are all topics that the processor handles."""

    def __init__(self, topics: Collection[str], *, force: bool, sample: int = 5) -> None:
        self.kinds: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[str] = Counter()
        self.sample: list[DeadLetter] = []
        self._topics = topics
        self._force = force
        self._most_in_sample = sample
        self._moves: dict[int, list[tuple[Order, Move]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._moves.values()))

    def add(self, letter: DeadLetter) -> None:
        """Add a chosen letter."""
        if why := self._objection(letter):
            self.refused[why] += 1
            return
        self.kinds[letter.topic, letter.kind] += 1
        self._moves.setdefault(letter.id.partition, []).append((Order.of(letter), Move(letter.id.entry, letter.topic)))
        if len(self.sample) < self._most_in_sample:
            self.sample.append(letter)

    def queues(self) -> Iterator[tuple[int, deque[Move]]]:
        """Yield each partition with its letters in the order of replay."""
        for partition, moves in self._moves.items():
            yield partition, deque(move for _, move in sorted(moves))

    def _objection(self, letter: DeadLetter) -> str | None:
        if not letter.event_fields:
            return "they contain no event"
        if letter.topic not in self._topics:
            return f"topic {letter.topic or '(none)'} is not known here: set HOOKLINE_CONFIG to the file that the services use"
        if letter.event is None and not self._force:
            return _UNDECODABLE
        return None
