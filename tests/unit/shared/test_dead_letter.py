"""Reading dead letters."""

import pytest

from hookline_processor.partition.outcomes import dead_letter_fields
from hookline_processor.verdicts import Dead, Failure, Reason
from hookline_shared.dead_letter import DeadLetter, DeadLetterId
from hookline_shared.errors import HooklineError
from hookline_shared.event import ReplayHistory, replay_history_of
from tests.support.processor.events import event
from tests.support.storage.dead_letters import fields_of


def words(texts: list[str]) -> list[bytes]:
    return [text.encode() for text in texts]


def told(reason: Reason = Reason.EXHAUSTED) -> list[bytes]:
    verdict = Dead(reason, Failure("ValueError", "no such thing", "Traceback"), 3, 1000)
    return words(dead_letter_fields(verdict, "messages", "1718-0", 2000))


def test_letter_tells_what_the_processor_wrote() -> None:
    """Everything that a processor writes into a letter can be read from it, beside the whole event."""
    one = event()
    own = [word if isinstance(word, bytes) else word.encode() for word in fields_of(one)]
    found = DeadLetter(3, "1718000000000-5", [*own, *told()])
    assert str(found.id) == "3:1718000000000-5"
    assert (found.died_at, found.reason, found.topic, found.entry) == (1718000000000, "exhausted", "messages", "1718-0")
    assert (found.error, found.traceback) == ("ValueError: no such thing", "Traceback")
    assert (found.attempts, found.first_failed_at) == (3, 1000)
    assert found.event == one
    assert (found.event_id, found.kind, found.key, found.account) == (one.id, one.kind, one.key, one.account)
    assert found.event_fields == own
    assert found.replay_history == ReplayHistory()


@pytest.mark.parametrize(
    "own",
    [
        [],
        [b"dead.reason", b"mine"],
        [b"dead.reason", b"mine", b"x", b"y"],
        [b"x", b"dead.reason", b"dead.else", b"z"],
        [b"\xff", b"\x00", b"again", b"1", b"again", b"2"],
    ],
)
def test_own_fields_end_where_the_letter_begins(own: list[bytes]) -> None:
    """Whatever names an entry has itself, only what the processor added is taken for the letter."""
    found = DeadLetter(0, "1-0", [*own, *told()])
    assert found.event_fields == own
    assert found.reason == "exhausted"
    assert found.event is None


@pytest.mark.parametrize("fields", [[], [b"dead.attempts", b"many"], [b"dead.topic", b"\xff"], [b"v", b"1"]])
def test_any_entry_is_a_letter(fields: list[bytes]) -> None:
    """An entry that somebody else put there can be looked at, too."""
    found = DeadLetter(0, "1-0", fields)
    assert (found.reason, found.error, found.attempts, found.event) == ("", "", 0, None)


def test_past_lives() -> None:
    """An event without a past has none, and one that says something odd of it has at least lived."""
    assert replay_history_of({}) == ReplayHistory()
    fields = {b"lives": b"2", b"first.at": b"5", b"first.reason": b"poison", b"first.topic": b"calls", b"first.entry": b"1-2"}
    assert replay_history_of(fields) == ReplayHistory(2, 5, "poison", "calls", "1-2")
    assert replay_history_of({b"lives": b"\xff"}) == ReplayHistory()


def test_ids_are_read_as_they_are_written() -> None:
    """What `list` shows is what `show` takes."""
    assert DeadLetterId.parse("12:1718000000000-3") == DeadLetterId(12, "1718000000000-3")
    assert str(DeadLetterId.parse("0:1-0")) == "0:1-0"


@pytest.mark.parametrize("text", ["", "1718-0", "a:1-0", "1:1", "1:1-0 ", "1:-", "-1:1-0", "٣:1-0", "99999:1-0"])
def test_ids_that_are_none(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(HooklineError, match="dead list"):
        DeadLetterId.parse(text)
