"""When the clock of a server is believed that says that a lease has expired."""

from typing import Final

import pytest

from hookline_processor.ownership.server_clock import ServerClock

LEASE_S: Final = 10.0
START_MS: Final = 1_750_000_000_000
TRUSTED_S: Final = 0.9 * LEASE_S


class Watched:
    """A server that is asked once a second; `ahead_s` is how far its clock is ahead."""

    def __init__(self) -> None:
        self.clock = ServerClock(LEASE_S)
        self.now = 100.0
        self.ahead_s = 0.0

    def ask(self, seconds: int, answer_s: float = 0.01) -> None:
        for _ in range(seconds):
            self.now += 1
            server_ms = START_MS + round((self.now + answer_s / 2 + self.ahead_s) * 1000)
            self.clock.answered(server_ms, self.now, self.now + answer_s)

    @property
    def believed(self) -> bool:
        return self.clock.believed(self.now)


def believed_after(watched: Watched) -> float:
    """Return the seconds until the clock is believed."""
    start = watched.now
    while not watched.believed:
        watched.ask(1)
    return watched.now - start


def test_steady_clock_is_believed() -> None:
    """After nearly a lease, in which every trust from before ends, and from then on."""
    watched = Watched()
    watched.ask(1)
    assert TRUSTED_S < believed_after(watched) <= LEASE_S
    for _ in range(100):
        watched.ask(1)
        assert watched.believed


@pytest.mark.parametrize("step_s", [7200.0, 1.0, 0.5, -0.5, -7200.0, 31_536_000.0])
def test_step_is_noticed(step_s: float) -> None:
    """A clock that is set forward or back, or a server whose clock differs, is believed only after another lease."""
    watched = Watched()
    watched.ask(30)
    assert watched.believed
    watched.ahead_s = step_s
    watched.ask(1)
    assert TRUSTED_S < believed_after(watched) <= LEASE_S


def test_steps_in_the_midst_of_steps() -> None:
    """While the clock is set again and again it is never believed, even if it is right each second time."""
    watched = Watched()
    for number in range(50):
        watched.ahead_s = 60.0 * (number % 2)
        watched.ask(3)
        assert not watched.believed


def test_drift_is_no_step() -> None:
    """A clock that runs at a slightly different rate is believed."""
    watched = Watched()
    watched.ask(11)
    for _ in range(10_000):
        watched.ahead_s += 0.0005
        watched.ask(1)
        assert watched.believed


def test_slow_answers_are_no_step() -> None:
    """Answers that take long and short tell the same time, if not as exactly."""
    watched = Watched()
    for number in range(30):
        watched.ask(1, answer_s=0.9 if number % 3 else 0.001)
    assert watched.believed


def test_silence_begins_anew() -> None:
    """After an outage, and after a time in which this process stood still, the server is watched for a lease."""
    watched = Watched()
    watched.ask(30)
    watched.clock.silent()
    assert not watched.believed
    watched.ask(1)
    assert TRUSTED_S < believed_after(watched) <= LEASE_S
    watched.ask(1, answer_s=0.6 * LEASE_S)
    assert not watched.believed
