"""The success over time of an open load."""

from bench.latency.plan import Second
from bench.latency.tally import Tally


def test_success_is_counted_in_the_second_in_which_the_webhook_was_due() -> None:
    """An answer that is slow, but within the limit, counts for its own second, and a refusal for its own."""
    tally = Tally(rate=2, count=5, limit_s=15)
    tally.accepted(0, 0.01)
    tally.accepted(1, 14.0)
    tally.failed(2)
    tally.accepted(3, 0.01)
    assert tally.by_second() == [Second(0, 2, 2, 0), Second(1, 2, 1, 1), Second(2, 1, 0, 0)]


def test_an_answer_after_the_limit_is_no_success() -> None:
    """Twilio has given up by then: the webhook is neither in time nor refused."""
    tally = Tally(rate=1, count=1, limit_s=15)
    tally.accepted(0, 15.1)
    assert tally.by_second() == [Second(0, 1, 0, 0)]


def test_a_webhook_without_an_answer_is_due_only() -> None:
    """What never ends is missing from the success, not from what was due."""
    assert Tally(rate=2.5, count=5, limit_s=15).by_second() == [Second(0, 3, 0, 0), Second(1, 2, 0, 0)]
