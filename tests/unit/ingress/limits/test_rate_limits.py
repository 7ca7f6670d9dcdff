"""Rates: the meter is a token bucket, treatment does not flap, and memory is bounded."""

from hypothesis import given
from hypothesis import strategies as st

from hookline_ingress.limits.rates import Meter, Meters, Rate

RATE = Rate(4.0, 8)

# Powers of two, so that sums are exact and the two buckets can be compared without a tolerance.
rates = st.builds(Rate, st.sampled_from([0.5, 1.0, 4.0, 64.0]), st.integers(1, 50))
pauses = st.lists(st.integers(0, 64).map(lambda sixteenths: sixteenths / 16), max_size=200)


class TokenBucket:
    """The textbook's bucket, kept as tokens that are refilled, which goes into debt up to one burst."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.tokens = float(rate.burst)
        self.at = 0.0
        self.above = False

    def take(self, now: float) -> bool:
        self.tokens = min(self.rate.burst, self.tokens + (now - self.at) * self.rate.per_second)
        self.at = now
        if self.tokens == self.rate.burst:
            self.above = False
        before = self.tokens
        self.tokens = max(-float(self.rate.burst), self.tokens - 1)
        self.above = self.above or before - 1 < 0
        return self.above


@given(rates, pauses)
def test_meter_is_a_token_bucket(rate: Rate, pauses: list[float]) -> None:
    """Whatever the rate and however events come, the verdicts and levels are those of the textbook's token bucket."""
    meter, bucket, now = Meter(rate), TokenBucket(rate), 0.0
    for pause in pauses:
        now += pause
        assert meter.take(now) == bucket.take(now)
        assert meter.level(now) == rate.burst - bucket.tokens


@given(rates, pauses)
def test_level_is_bounded(rate: Rate, pauses: list[float]) -> None:
    """After the worst of floods, twice the burst has to leak away and no more."""
    meter, now = Meter(rate), 0.0
    for pause in pauses:
        now += pause / 64
        meter.take(now)
        assert 0 <= meter.level(now) <= 2 * rate.burst


def test_burst_may_come_at_once() -> None:
    """As many as the burst are within the rate, the next one is above it."""
    meter = Meter(RATE)
    assert [meter.take(0.0) for _ in range(RATE.burst + 1)] == [False] * RATE.burst + [True]


def test_above_until_empty() -> None:
    """Once above, a key stays above although its level is below the burst again, until the bucket is empty."""
    meter = Meter(RATE)
    for _ in range(RATE.burst + 1):
        meter.take(0.0)
    emptied_at = meter.empty_at
    assert meter.take(emptied_at - 0.25)
    assert not meter.take(meter.empty_at)


def test_adopted_level_above_the_burst_demotes() -> None:
    """What others counted is as good as what was counted here."""
    meter = Meter(RATE)
    meter.adopt(RATE.burst + 1, 0.0)
    assert meter.take(0.0)


def test_nobody_need_hear_of_what_has_leaked_away() -> None:
    """After a long while without the others, only what is still in the bucket is left to tell."""
    meters = Meters(10)
    for second in range(600):
        meters.take("key", RATE, float(second))
    (meter,) = meters.due().values()
    assert meter.taken == 600
    meters.put_back("key", meter, 599.0)
    assert meter.taken == 1
    meters.put_back("key", meter, 700.0)
    assert meter.taken == 0


def test_least_recently_used_key_goes() -> None:
    """A flood of strangers does not make us forget somebody who keeps sending."""
    meters = Meters(10)
    for _ in range(RATE.burst + 1):
        meters.take("flooder", RATE, 0.0)
    for number in range(100):
        meters.take(f"stranger {number}", RATE, 0.0)
        assert meters.take("flooder", RATE, 0.0)
    assert len(meters) <= 10


def test_what_is_due_is_bounded_too() -> None:
    """While nothing can be exchanged, keys that gave way to others are not kept for that either."""
    rate, meters = Rate(1.0, 1), Meters(10)
    for number in range(1000):
        meters.take(f"stranger {number}", rate, 0.0)
        if number % 5 == 0:
            for key, meter in meters.due().items():
                meters.put_back(key, meter, 0.0)
    assert len(meters.due()) <= 10


def test_forgotten_key_is_not_due_again() -> None:
    """A key that was forgotten while its exchange was under way stays forgotten."""
    meters = Meters(2)
    meters.take("old", Rate(1.0, 1), 0.0)
    under_way = meters.due()
    meters.take("newer", Rate(1.0, 100), 0.0)
    meters.take("new", Rate(1.0, 1), 0.0)
    meters.put_back("old", under_way["old"], 0.0)
    assert list(meters.due()) == ["new"]


def test_idle_keys_are_forgotten() -> None:
    """An empty bucket is as good as none."""
    meters = Meters(10)
    meters.take("idle", Rate(1.0, 1), 0.0)
    meters.take("busy", Rate(1.0, 1), 1.0)
    meters.forget_idle(1.5)
    assert len(meters) == 1
    assert meters.get("busy") is not None
    assert list(meters.due()) == ["busy"]


def test_one_event_of_many_is_not_told() -> None:
    """Others need not know of everybody who writes once, only of a good part of a burst."""
    meters, rate = Meters(10), Rate(10.0, 100)
    for _ in range(4):
        meters.take("key", rate, 0.0)
    assert meters.due() == {}
    meters.take("key", rate, 0.0)
    assert list(meters.due()) == ["key"]


def test_many_are_told_in_turns() -> None:
    """However many keys are due, one exchange stays short, and none is left out or told twice."""
    meters = Meters(10_000)
    for number in range(2500):
        meters.take(str(number), Rate(1.0, 1), 0.0)
    passes = [meters.due() for _ in range(4)]
    assert [len(due) for due in passes] == [1000, 1000, 500, 0]
    assert [key for due in passes for key in due] == [str(number) for number in range(2500)]
