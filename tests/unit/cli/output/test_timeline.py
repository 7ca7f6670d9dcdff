"""What `hookline tail` makes of what it sees."""

from hookline_cli.tail.timeline import Timeline, TimelineEntry
from hookline_shared.dead_letter import DeadLetter
from hookline_shared.event import Event
from hookline_shared.streams.follow import Arrival, StreamPosition
from tests.support.storage.dead_letters import deaths


def _bytes(words: list[str | bytes]) -> list[bytes]:
    return [word if isinstance(word, bytes) else word.encode() for word in words]


def arrival(number: int, topic: str = "messages", body: bytes | None = None) -> Arrival:
    (_, fields) = deaths(1)[0]
    words = _bytes(fields[:-18])
    return Arrival(StreamPosition(0, topic, f"{number}-0"), words if body is None else [*words[:-1], body])


def letter_of(one: Arrival, died_at: int) -> DeadLetter:
    words = ["dead.reason", "exhausted", "dead.topic", one.place.topic, "dead.entry", one.place.entry]
    return DeadLetter(one.place.partition, f"{died_at}-0", [*one.fields, *_bytes([*words])])


def everything(_topic: str, _event: Event | None) -> bool:
    return True


def test_from_accepted_to_settled() -> None:
    """An event is reported when it comes, and once when it has left its topic."""
    timeline = Timeline(everything)
    one = arrival(1000)
    (accepted,) = timeline.accepted([one])
    assert (accepted.what, accepted.at, accepted.place, accepted.lives) == ("accepted", 1000, one.place, 0)
    assert timeline.next_to_ask(10) == [one.place]
    assert timeline.ended([], [], 1500) == []
    (settled,) = timeline.ended([one.place], [], 3500)
    assert settled == TimelineEntry("settled", 3500, one.place, accepted.event, took_ms=2500)
    assert timeline.ended([one.place], [], 4000) == []
    assert timeline.next_to_ask(10) == []


def test_what_dies_is_not_settled() -> None:
    """An event that has left its topic for the dead letters is reported as dead, and only so."""
    timeline = Timeline(everything)
    one = arrival(1000)
    timeline.accepted([one])
    (dead,) = timeline.ended([one.place], [letter_of(one, 1700)], 2000)
    assert (dead.what, dead.at, dead.took_ms) == ("dead", 1700, 700)
    assert dead.letter is not None
    assert dead.letter.reason == "exhausted"
    assert dead.event is not None


def test_death_of_an_event_from_before() -> None:
    """Events that came before one began to look are reported if they die."""
    one = arrival(1000)
    (dead,) = Timeline(everything).ended([], [letter_of(one, 1700)], 2000)
    assert dead.what == "dead"
    assert dead.event is not None


def test_only_what_is_wanted() -> None:
    """Other events are neither reported nor followed."""
    timeline = Timeline(lambda topic, event: topic == "calls" and event is not None)
    other, wanted = arrival(1), arrival(2, "calls")
    undecodable = Arrival(StreamPosition(0, "calls", "3-0"), [b"v", b"9"])
    assert [found.place for found in timeline.accepted([other, wanted, undecodable])] == [wanted.place]
    assert timeline.next_to_ask(10) == [wanted.place]
    assert timeline.ended([other.place], [letter_of(other, 5)], 6) == []


def test_undecodable_events_are_followed() -> None:
    """An entry that is no event comes, and dies, as others do."""
    timeline = Timeline(everything)
    odd = Arrival(StreamPosition(0, "calls", "3-0"), [b"v", b"9"])
    assert [found.event for found in timeline.accepted([odd])] == [None]
    assert [found.what for found in timeline.ended([odd.place], [letter_of(odd, 5)], 6)] == ["dead"]


def test_following_is_bounded_and_fair() -> None:
    """The oldest are let go when there are too many, and all are asked about by turns."""
    timeline = Timeline(everything, most=3)
    timeline.accepted([arrival(number) for number in range(1, 6)])
    asked = [place.entry for _ in range(3) for place in timeline.next_to_ask(2)]
    assert asked == ["3-0", "4-0", "5-0", "3-0", "4-0", "5-0"]


def test_lives_are_told() -> None:
    """An event that was replayed says so when it comes again."""
    one = arrival(1)
    again = Arrival(one.place, [*one.fields, b"lives", b"2"])
    assert [found.lives for found in Timeline(everything).accepted([again])] == [2]


def test_large_events_are_followed_within_bounds() -> None:
    """Bodies take no more memory than allowed: the oldest events are no longer followed, the last one always is."""
    timeline = Timeline(everything, most_bytes=25)
    one, two, three = (arrival(moment, body=b"x" * 10) for moment in (1000, 2000, 3000))
    timeline.accepted([one, two, three])
    assert timeline.next_to_ask(10) == [two.place, three.place]
    timeline.ended([two.place], [], 4000)
    huge = arrival(5000, body=b"x" * 100)
    timeline.accepted([huge])
    assert timeline.next_to_ask(10) == [huge.place]
    timeline.ended([huge.place], [], 6000)
    timeline.accepted([one, two])
    assert timeline.next_to_ask(10) == [one.place, two.place]
