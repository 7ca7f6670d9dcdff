"""What the record of an event tells the next owner of its partition."""

import msgspec

from hookline_processor.retry import NEVER_FAILED, Record, RetryPolicy, decode_record, encode_record
from hookline_processor.verdicts import Dead, Reason, Retry, RetryLater, poison_verdict, verdict_on_error

NOW = 1_000_000


def test_event_is_poison_after_two_attempts_that_never_ended() -> None:
    """The first makes it a suspect, the second poison; with the one before it was recovered, these are three deaths."""
    first = NEVER_FAILED.begin()
    second = first.begin()
    assert (NEVER_FAILED.suspect, NEVER_FAILED.poison) == (False, False)
    assert (first.suspect, first.poison) == (True, False)
    assert second.poison


def test_attempt_that_ends_clears_the_suspicion() -> None:
    """However it ends: the process has lived through it."""
    begun = Record(failures=1, first_failed_at=5, begun=1)
    assert begun.end() == Record(failures=1, first_failed_at=5)
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


def test_begun_attempt_survives_the_process() -> None:
    """It is part of the stored record; one that an older version stored has none."""
    record = Record(failures=1, begun=1)
    assert decode_record(encode_record(record)) == record
    older = {name: value for name, value in msgspec.to_builtins(record).items() if name != "begun"}
    assert decode_record(msgspec.json.encode(older)) == Record(failures=1)
