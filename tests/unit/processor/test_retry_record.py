"""What the record of an event tells the next owner of its partition."""

import msgspec

from hookline_processor.retry_policy import RetryPolicy
from hookline_processor.retry_record import NEVER_FAILED, Record, decode_record, encode_record
from hookline_processor.verdicts import Dead, Reason, Retry, RetryLater, poison_verdict, verdict_on_error

NOW = 1_000_000


def test_event_is_poison_after_two_attempts_that_never_ended() -> None:
    """The first makes it a suspect, the second poison; with the one before it was recovered, these are three deaths."""
    first = NEVER_FAILED.begin()
    second = first.begin()
    assert (NEVER_FAILED.suspect, NEVER_FAILED.poison) == (False, False)
    assert (first.suspect, first.poison) == (True, False)
    assert second.poison


def test_message_is_patient() -> None:
    """It was in flight by chance, however many kills there are in a row: what sends it is no handler of the user's."""
    assert Record(begun=2).poison
    assert not Record(begun=10, cut=9).poison_message
    assert Record(begun=10, cut=10).poison_message


def test_attempt_that_ends_clears_the_suspicion() -> None:
    """However it ends: the process has lived through it."""
    begun = Record(failures=1, first_failed_at=5).begin()
    assert begun.end() == Record(failures=1, first_failed_at=5, interrupted=True)
    for error in (ValueError("no"), RetryLater(1)):
        verdict = verdict_on_error(error, begun, RetryPolicy(), NOW, jitter=1)
        assert isinstance(verdict, Retry)
        assert not verdict.record.suspect


def test_poison_is_dead_with_its_history() -> None:
    """The letter counts the failures before and the deaths, and says what happened."""
    verdict = poison_verdict(Record(failures=3, first_failed_at=7, error="ValueError: no", begun=2), NOW)
    assert isinstance(verdict, Dead)
    assert (verdict.reason, verdict.attempts, verdict.first_failed_at) == (Reason.POISON, 5, 7)
    assert verdict.failure.type == "ProcessDied"
    assert "died 2 times" in verdict.failure.message


def test_event_is_poison_after_many_attempts_in_a_row_that_stops_cut() -> None:
    """Some deploys are forgiven; before the last attempt it is a suspect, and then poison, as if the process had died."""
    records = [NEVER_FAILED]
    for _ in range(5):
        records.append(records[-1].cut_short())
    assert [record.suspect for record in records] == [False, False, False, False, True, True]
    assert [record.poison for record in records] == [False, False, False, False, False, True]
    verdict = poison_verdict(records[-1], NOW)
    assert (verdict.reason, verdict.attempts, verdict.failure.type) == (Reason.POISON, 5, "ProcessStopped")
    assert "stopped 5 times in a row" in verdict.failure.message


def test_attempt_that_ends_forgives_those_that_were_cut() -> None:
    """They are no longer counted, but that there were some is known until the event is settled."""
    cut = NEVER_FAILED.begin().cut_short().cut_short()
    assert cut.end() == Record(interrupted=True)
    for error in (ValueError("no"), RetryLater(1)):
        verdict = verdict_on_error(error, cut, RetryPolicy(), NOW, jitter=1)
        assert isinstance(verdict, Retry)
        assert (verdict.record.cut, verdict.record.interrupted) == (0, True)
        assert decode_record(encode_record(verdict.record)) == verdict.record


def test_record_says_nothing_that_is_usual() -> None:
    """There may be a million of them. A version that knows more fields can be followed by one that does not."""
    assert encode_record(NEVER_FAILED) == "{}"
    assert decode_record(b'{"failures":1,"unknown":[1]}') == Record(failures=1)


def test_begun_attempt_survives_the_process() -> None:
    """It is part of the stored record; one that an older version stored has none."""
    record = Record(failures=1, begun=1)
    assert decode_record(encode_record(record)) == record
    older = {name: value for name, value in msgspec.to_builtins(record).items() if name != "begun"}
    assert decode_record(msgspec.json.encode(older)) == Record(failures=1)
