"""What happens to an event whose handler raised."""

from datetime import timedelta
from typing import Any

import pytest

from hookline_processor.retry_policy import RetryPolicy, backoff_s
from hookline_processor.retry_record import NEVER_FAILED, Record, decode_record, encode_record
from hookline_processor.verdicts import AwayError, Dead, Failure, Reason, Reject, Retry, RetryLater, verdict_on_error

NOW = 1_000_000
POLICY = RetryPolicy(max_attempts=3, base=2, max=10)


def test_error_is_retried_with_backoff_and_jitter() -> None:
    """A failure is tried again after a random part of a bound that doubles."""
    first = verdict_on_error(ValueError("no"), NEVER_FAILED, POLICY, NOW, jitter=1)
    assert isinstance(first, Retry)
    assert first.record == Record(failures=1, next_at=NOW + 2000, first_failed_at=NOW, error="ValueError: no")

    second = verdict_on_error(ValueError("no"), first.record, POLICY, NOW + 5000, jitter=0.5)
    assert isinstance(second, Retry)
    assert second.record == Record(failures=2, next_at=NOW + 7000, first_failed_at=NOW, error="ValueError: no")


def test_last_attempt_is_dead() -> None:
    """When the attempts are used up the event is dead, with the traceback and the time of its first failure."""
    verdict = verdict_on_error(_raised(ValueError("no")), Record(failures=2, first_failed_at=7), POLICY, NOW, jitter=1)
    assert isinstance(verdict, Dead)
    assert (verdict.reason, verdict.attempts, verdict.first_failed_at) == (Reason.EXHAUSTED, 3, 7)
    assert verdict.failure.type == "ValueError"
    assert verdict.failure.traceback.rstrip().endswith("ValueError: no")


def test_last_timeout_says_so() -> None:
    """An event whose last attempt timed out has that as its reason."""
    verdict = verdict_on_error(TimeoutError(), Record(failures=2), POLICY, NOW, jitter=1)
    assert isinstance(verdict, Dead)
    assert verdict.reason is Reason.TIMED_OUT


def test_reject_is_dead_at_once() -> None:
    """Reject needs no attempts to be used up."""
    verdict = verdict_on_error(Reject("not for us"), NEVER_FAILED, POLICY, NOW, jitter=1)
    assert isinstance(verdict, Dead)
    assert (verdict.reason, verdict.attempts, verdict.failure.message) == (Reason.REJECTED, 1, "not for us")


class CardError(Exception): ...


class ExpiredCardError(CardError): ...


@pytest.mark.parametrize(
    ("error", "reason"),
    [(CardError("no"), Reason.REJECTED), (ExpiredCardError("no"), Reason.REJECTED), (TimeoutError(), Reason.TIMED_OUT)],
)
def test_given_up_error_is_dead_at_once(error: Exception, reason: Reason) -> None:
    """An error that no attempt can change needs no others, nor do its subclasses; the dead letter says what it was."""
    policy = RetryPolicy(give_up_on=(CardError, TimeoutError))
    verdict = verdict_on_error(_raised(error), NEVER_FAILED, policy, NOW, jitter=1)
    assert isinstance(verdict, Dead)
    assert (verdict.reason, verdict.attempts, verdict.failure.type) == (reason, 1, type(error).__name__)
    assert verdict.failure.traceback
    assert isinstance(verdict_on_error(ValueError("no"), NEVER_FAILED, policy, NOW, jitter=1), Retry)
    assert isinstance(verdict_on_error(RetryLater(1), NEVER_FAILED, RetryPolicy(give_up_on=(Exception,)), NOW, jitter=1), Retry)


def test_retry_later_does_not_count() -> None:
    """RetryLater sets the time and burns no attempt, not even the last one."""
    before = Record(failures=2, first_failed_at=5, error="x")
    verdict = verdict_on_error(RetryLater(60), before, POLICY, NOW, jitter=0)
    assert verdict == Retry(Record(failures=2, next_at=NOW + 60_000, first_failed_at=5, error="x"))


@pytest.mark.parametrize(("failures", "bound"), [(1, 2), (2, 4), (3, 8), (4, 10), (50, 10), (10_000, 10)], ids=str)
def test_backoff_is_bounded(failures: int, bound: float) -> None:
    """The bound doubles with each failure, up to the maximum, and jitter takes any part of it."""
    assert backoff_s(POLICY, failures, 1) == bound
    assert backoff_s(POLICY, failures, 0.25) == bound / 4
    assert backoff_s(POLICY, failures, 0) == 0


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


@pytest.mark.parametrize("error", [ValueError("caf\udce9"), Unprintable()], ids=["surrogate", "broken __str__"])
def test_any_error_can_be_stored(error: Exception) -> None:
    """An error whose text is not UTF-8, or that has none, becomes a retry record and a dead letter all the same."""
    for policy in (POLICY, RetryPolicy(max_attempts=1)):
        verdict = verdict_on_error(error, NEVER_FAILED, policy, NOW, jitter=1)
        assert verdict.failure is not None
        assert "".join(verdict.failure).encode()


def test_record_survives_storage() -> None:
    """A record reads back as it was written; one that cannot be read counts as never failed."""
    record = Record(failures=3, next_at=9, first_failed_at=4, error="ü")
    assert decode_record(encode_record(record)) == record
    assert decode_record(None) == NEVER_FAILED
    assert decode_record(b"{broken") == NEVER_FAILED


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [(60, 60), (timedelta(minutes=2), 120), (0, 0.1), (-5, 0.1), (float("inf"), 30 * 86400), (1e17, 30 * 86400), ("5", 5)],
)
def test_any_delay_is_bounded(delay: float, seconds: float) -> None:
    """RetryLater takes seconds or a timedelta; too short a delay would spin, too long a one could not be stored."""
    assert RetryLater(delay).delay == seconds


@pytest.mark.parametrize("delay", [None, "soon", float("nan")])
def test_delay_must_be_a_number(delay: Any) -> None:
    """A delay that is none fails where it is made, inside the handler."""
    with pytest.raises((TypeError, ValueError)):
        RetryLater(delay)


@pytest.mark.parametrize(
    "odd",
    [
        {"max_attempts": 0},
        {"base": 0},
        {"base": "5"},
        {"max": timedelta(0)},
        {"max": float("nan")},
        {"max": float("inf")},
        {"give_up_on": ValueError},
        {"give_up_on": ["ValueError"]},
        {"give_up_on": ("ValueError",)},
        {"give_up_on": (int,)},
        {"give_up_on": (BaseException,)},
    ],
    ids=str,
)
def test_odd_policy_is_refused(odd: dict[str, Any]) -> None:
    """A policy without any attempt or delay, or that gives up on what is no exception, is refused when it is written."""
    with pytest.raises(ValueError, match=r"a RetryPolicy needs max_attempts of at least 1|is a tuple of classes"):
        RetryPolicy(**odd)


def test_policy_takes_timedeltas() -> None:
    """A timedelta and its seconds are the same delay."""
    policy = RetryPolicy(base=timedelta(minutes=1), max=timedelta(minutes=3))
    assert [backoff_s(policy, failures, 1) for failures in (1, 2, 3)] == [60, 120, 180]


def _raised(error: Exception) -> Exception:
    try:
        raise error  # noqa: TRY301
    except Exception as caught:  # noqa: BLE001
        return caught


def test_away_does_not_count_but_is_a_failure_of_the_destination() -> None:
    """No attempt is used up; the breaker and the log learn why."""
    before = Record(failures=2, first_failed_at=5, error="x")
    verdict = verdict_on_error(AwayError("the app is away", 3), before, POLICY, NOW, jitter=0)
    assert isinstance(verdict, Retry)
    assert verdict.record == Record(failures=2, next_at=NOW + 3000, first_failed_at=5, error="x")
    assert verdict.failure is not None
    assert verdict.failure.message == "the app is away"


def test_caller_does_not_wait_as_long_as_the_destination_asks() -> None:
    """Its event is attempted again soon, whether it has failed or its destination is away; what a handler asks for counts."""
    policy = RetryPolicy(base=100, max=100)
    for error, next_at in ((AwayError("away", 300), 2000), (ValueError("no"), 2000), (RetryLater(300), 300_000)):
        verdict = verdict_on_error(error, NEVER_FAILED, policy, NOW, jitter=1, longest_s=2)
        assert isinstance(verdict, Retry)
        assert verdict.record.next_at == NOW + next_at


def test_answer_of_a_destination_is_kept_and_not_logged() -> None:
    """It may be personal."""
    error = ValueError("answered 500")
    error.answer = "Dear Ann"  # type: ignore[attr-defined]
    failure = Failure.of(error)
    assert (failure.message, failure.answer, failure.traceback) == ("answered 500", "Dear Ann", "")
    assert failure.redacted(()).answer == ""


def test_live_event_does_not_wait_long_for_an_app_that_is_away() -> None:
    """Whatever Retry-After says: a caller waits. A handler that asks to be run later means it."""
    now_ms = 1_750_000_000_000
    away = verdict_on_error(AwayError("away", 300.0), NEVER_FAILED, RetryPolicy(), now_ms, 0.5, 2.0)
    assert away.record.next_at == now_ms + 2000  # type: ignore[union-attr]
    later = verdict_on_error(RetryLater(30), NEVER_FAILED, RetryPolicy(), now_ms, 0.5, 2.0)
    assert later.record.next_at == now_ms + 30_000  # type: ignore[union-attr]
