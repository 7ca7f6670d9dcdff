"""Several processors share the partitions, and everything that can happen to them does, in sequences that nobody thought of.

After each step, every event is counted in one state. `HOOKLINE_TEST_EXAMPLES=200` (`make sequences`) tries that many other
sequences of each kind, instead of the same few each time.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import pytest
from hypothesis import given, settings

from hookline_shared.redis.durability import Durability
from hookline_shared.topics import MESSAGES
from tests.integration.processor.machine.redis_pair import RedisPair
from tests.integration.processor.machine.sequences import (
    KNOWN,
    KNOWN_FAIL_OVERS,
    Step,
    chapters,
    common,
    cut_off,
    fail_over,
    link,
    stall,
    trouble,
    wake,
)
from tests.integration.processor.machine.system import SystemUnderTest
from tests.support.time.settable_clock import SettableClock

pytestmark = pytest.mark.filterwarnings("ignore:unclosed Connection:ResourceWarning")
"""What crashes closes nothing."""

EXAMPLES: Final = int(os.environ.get("HOOKLINE_TEST_EXAMPLES", "0"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisPair]:
    """Yield a master and a replica, each with a clock of its own where there is a C compiler."""
    clocks = [SettableClock(tmp_path_factory.mktemp("clock")) for _ in range(2 if shutil.which("cc") else 0)]
    with RedisPair(clocks) as pair:
        yield pair


@pytest.fixture(autouse=True)
def frequent_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processors look more often, and breakers probe sooner, than is good outside of tests."""
    monkeypatch.setattr("hookline_processor.partition.waiting.pauses._POLL_S", 0.05)
    monkeypatch.setattr("hookline_processor.partition.waiting.waiting_lanes._POLL_S", 0.05)
    monkeypatch.setattr("hookline_processor.partition.destinations._NEXT_PROBE_S", 0.05)
    monkeypatch.setattr("hookline_shared.breaker._FIRST_DELAY_S", 0.05)
    monkeypatch.setattr("hookline_shared.breaker._LONGEST_DELAY_S", 0.2)


@contextmanager
def system(pair: RedisPair, durability: Durability) -> Iterator[SystemUnderTest]:
    """Yield a system with one processor that is at work."""
    made = SystemUnderTest(pair, durability)
    try:
        made.harness.join()
        made.deliver(MESSAGES, "a", "")
        made.harness.until(made.settled, "the first processor is at work")
        pair.wait_in_step()
        yield made
    finally:
        made.close()


def play(pair: RedisPair, durability: Durability, taken: Sequence[Step]) -> None:
    with system(pair, durability) as made:
        for step in taken:
            step.take(made)
            made.harness.turn()
            made.check()
        made.finish()


@pytest.mark.parametrize("taken", KNOWN.values(), ids=KNOWN)
def test_known_sequence(pair: RedisPair, taken: Sequence[Step]) -> None:
    """What each precaution is for."""
    play(pair, Durability.MEMORY, taken)


@pytest.mark.parametrize("taken", KNOWN_FAIL_OVERS.values(), ids=KNOWN_FAIL_OVERS)
def test_known_sequence_with_fail_overs(pair: RedisPair, taken: Sequence[Step]) -> None:
    """What a processor believes may have become true again."""
    play(pair, Durability.REPLICA, taken)


@settings(max_examples=EXAMPLES or 2, derandomize=not EXAMPLES, database=None, print_blob=False)
@given(chapters(common | stall | wake | cut_off | link))
def test_any_sequence(pair: RedisPair, taken: list[Step]) -> None:
    """Each event is settled exactly once, in order, by the owner of its partition, whatever happens to the processors."""
    play(pair, Durability.MEMORY, taken)


@settings(max_examples=EXAMPLES or 2, derandomize=not EXAMPLES, database=None, print_blob=False)
@given(chapters(common | stall | wake | fail_over | fail_over))
def test_any_sequence_with_fail_overs(pair: RedisPair, taken: list[Step]) -> None:
    """The same, when Redis itself falls back to an older state; only what a replica had counts as accepted."""
    play(pair, Durability.REPLICA, taken)


@settings(max_examples=EXAMPLES or 2, derandomize=not EXAMPLES, database=None, print_blob=False)
@given(chapters(common | trouble | trouble))
def test_any_sequence_with_trouble(pair: RedisPair, taken: list[Step]) -> None:
    """The same, when events wait for long, are paused, huge or unread, and when clocks, logs and destinations fail."""
    play(pair, Durability.MEMORY, taken)


@settings(max_examples=EXAMPLES or 2, derandomize=not EXAMPLES, database=None, print_blob=False)
@given(chapters(common | trouble | trouble | stall | wake | cut_off | link | fail_over | fail_over))
def test_any_sequence_of_everything(pair: RedisPair, taken: list[Step]) -> None:
    """All of this at once."""
    play(pair, Durability.REPLICA, taken)
