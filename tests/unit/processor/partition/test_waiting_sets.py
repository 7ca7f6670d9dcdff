"""What is known about the lanes that wait in Redis."""

from math import inf

import pytest

from hookline_processor.partition.waiting.waiting_sets import TIME, WaitingSets, WaitingTotals
from hookline_shared.streams.waiting.index import LATER
from hookline_shared.topics import MESSAGES, STATUSES

BREAKER, KIND = "breaker:crm", "kind:call.status"


@pytest.fixture
def sets() -> WaitingSets:
    """Return what is known of a partition in which nothing waits."""
    sets = WaitingSets([MESSAGES, STATUSES])
    for topic in sets.topics():
        sets.poll_ended(topic, 0, sets.changes(topic))
    return sets


def polled(sets: WaitingSets, condition: str, count: int, next_ms: float) -> None:
    """Note an answer of Redis since which nothing has changed."""
    sets.polled(MESSAGES, condition, count, next_ms, sets.changes(MESSAGES))


def test_everything_may_be_indexed_until_redis_was_asked() -> None:
    """A new owner does not know what its predecessor left."""
    sets = WaitingSets([MESSAGES, STATUSES])
    assert sets.topics_to_poll() == [MESSAGES, STATUSES]
    sets.poll_ended(MESSAGES, 0, sets.changes(MESSAGES))
    assert not sets.may_be_indexed(MESSAGES)
    assert sets.topics_to_poll() == [STATUSES]


def test_topic_with_resumed_lanes_stays_indexed() -> None:
    """They have more events in Redis, so new ones must ask where they belong."""
    sets = WaitingSets([MESSAGES])
    sets.poll_ended(MESSAGES, 3, sets.changes(MESSAGES))
    assert sets.may_be_indexed(MESSAGES)


def test_lane_counts_as_soon_as_it_is_about_to_wait(sets: WaitingSets) -> None:
    """Redis may have it before it says so; a poll meanwhile that finds nothing changes nothing."""
    before = sets.changes(MESSAGES)
    sets.will_wait(MESSAGES)
    assert sets.may_be_indexed(MESSAGES)
    assert not sets.may_be_indexed(STATUSES)
    sets.poll_ended(MESSAGES, 0, sets.changes(MESSAGES))
    sets.poll_ended(MESSAGES, 0, before)
    assert sets.may_be_indexed(MESSAGES)
    assert sets.waiting(MESSAGES) == 0


def test_poll_that_began_before_a_lane_waited_says_nothing_about_it(sets: WaitingSets) -> None:
    """Its answer may be older than the lane."""
    before = sets.changes(MESSAGES)
    sets.will_wait(MESSAGES)
    sets.waits(MESSAGES, "", 5)
    sets.polled(MESSAGES, "", 0, inf, before)
    sets.poll_ended(MESSAGES, 0, before)
    assert sets.may_be_indexed(MESSAGES)
    assert (sets.waiting(MESSAGES), sets.next_ms([MESSAGES])) == (1, 5)
    polled(sets, "", 0, inf)
    sets.poll_ended(MESSAGES, 0, sets.changes(MESSAGES))
    assert not sets.may_be_indexed(MESSAGES)


def test_earliest_time_is_that_of_lanes_that_wait_for_a_time(sets: WaitingSets) -> None:
    """Of any of the topics, long or short; a condition has its own way to end."""
    both = [MESSAGES, STATUSES]
    assert sets.next_ms(both) == inf
    for topic, condition, time_ms in ((MESSAGES, "", 50), (STATUSES, LATER, 40), (MESSAGES, "", 60), (MESSAGES, KIND, 10)):
        sets.will_wait(topic)
        sets.waits(topic, condition, time_ms)
    assert [sets.next_ms(topics) for topics in (both, [MESSAGES], [])] == [40, 50, inf]
    sets.polled(STATUSES, LATER, 0, inf, sets.changes(STATUSES))
    assert sets.next_ms(both) == 50


def test_redis_has_the_last_word(sets: WaitingSets) -> None:
    """Its counts replace what was counted; a condition for which nothing waits is forgotten, a time is not."""
    for _ in range(2):
        sets.will_wait(MESSAGES)
        sets.waits(MESSAGES, BREAKER, 7)
    assert sets.waiting(MESSAGES) == 2
    polled(sets, BREAKER, 9, 3)
    assert sets.of(MESSAGES)[BREAKER].count == sets.waiting(MESSAGES) == 9
    polled(sets, BREAKER, 0, inf)
    polled(sets, "", 0, inf)
    assert set(sets.of(MESSAGES)) == {"", LATER}


def test_reasons_are_the_families_of_conditions(sets: WaitingSets) -> None:
    """For a metric, which must not have a label for every destination."""
    for condition in ("", LATER, BREAKER, "breaker:mail", KIND):
        sets.will_wait(MESSAGES)
        sets.waits(MESSAGES, condition, 1)
    assert sets.by_reason(MESSAGES) == {TIME: 2, "breaker": 2, "kind": 1}
    assert sets.by_reason(STATUSES).total() == 0


def test_totals_are_those_of_the_partitions_owned() -> None:
    """A partition that is somebody else's counts there."""
    totals, both = WaitingTotals(), [WaitingSets([MESSAGES]) for _ in range(2)]
    for number, sets in enumerate(both, start=1):
        totals.add(sets)
        polled(sets, "", number, 5)
    assert totals.by_reason(MESSAGES)[TIME] == 3
    totals.discard(both[0])
    assert totals.by_reason(MESSAGES)[TIME] == 2
    totals.discard(both[1])
    assert totals.by_reason(MESSAGES)[TIME] == 0


def test_deferred_event_makes_its_topic_indexed(sets: WaitingSets) -> None:
    """Also if Redis has said before that nothing was, and whatever an older answer says."""
    before = sets.changes(MESSAGES)
    sets.was_deferred(MESSAGES)
    sets.poll_ended(MESSAGES, 0, before)
    assert sets.may_be_indexed(MESSAGES)
    assert not sets.may_be_indexed(STATUSES)


def test_after_an_error_everything_may_be_indexed(sets: WaitingSets) -> None:
    """Redis may have done what it did not confirm; answers to older questions do not count."""
    before = {topic: sets.changes(topic) for topic in sets.topics()}
    sets.forget()
    for topic in sets.topics():
        sets.poll_ended(topic, 0, before[topic])
    assert sets.topics_to_poll() == [MESSAGES, STATUSES]
