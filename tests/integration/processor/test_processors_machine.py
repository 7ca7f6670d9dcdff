"""Several processors share the partitions, and everything that can happen to them does, in sequences that nobody thought of.

`HOOKLINE_TEST_EXAMPLES=200` tries that many other sequences, instead of the same few each time.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import pytest
from hypothesis import given, settings

from hookline_shared.redis.durability import Durability
from hookline_shared.topics import MESSAGES
from tests.support.processor.steps import (
    LONG_S,
    Crash,
    Deliver,
    End,
    FailOver,
    FallBehind,
    Join,
    Leave,
    Pass,
    Stall,
    Step,
    Turn,
    Wake,
    chapters,
    common,
    cut_off,
    fail_over,
    link,
    stall,
    wake,
)
from tests.support.processor.system import SystemUnderTest
from tests.support.servers.redis_pair import RedisPair

EXAMPLES: Final = int(os.environ.get("HOOKLINE_TEST_EXAMPLES", "0"))
GOES_ON, STOOD_STILL = False, True
LATE: Final = (Stall(0), Join(), Pass(LONG_S))
"""The only processor stands still, and another one takes over."""
KNOWN: Final[dict[str, Sequence[Step]]] = {
    "crash": [Deliver("a", "p"), Deliver("a"), Pass(0.05), Crash(0), Join()],
    "late settlement": [Deliver("a", "pp"), Pass(0.05), *LATE, End(0, "d"), Wake(0, STOOD_STILL), Pass(0.05)],
    "late failure": [Deliver("a", "pp"), Pass(0.05), *LATE, End(0, "e"), Wake(0, STOOD_STILL), Pass(0.05)],
    "late death": [Deliver("a", "pp"), Pass(0.05), *LATE, End(0, "r"), Wake(0, STOOD_STILL), Pass(0.05)],
    "late read": [*LATE, Stall(0), Deliver("d"), Wake(0, STOOD_STILL), Pass(0.02)],
    "late attempt": [Deliver("a", "pp"), Deliver("a"), Pass(0.05), *LATE, End(0, "d"), Wake(0, GOES_ON), Pass(0.05)],
    "lost while leaving": [Deliver("a", "pp"), Pass(0.05), Leave(0), *LATE, Wake(0, STOOD_STILL), Pass(0.05)],
}
"""Sequences that go wrong if one of the precautions is missing, each."""
RETURNED: Final = (Crash(1), FailOver())
"""The one that took over is gone, and Redis no longer knows that it ever did."""
KNOWN_FAIL_OVERS: Final[dict[str, Sequence[Step]]] = {
    "term again": [Join(), FallBehind(), Deliver("a"), Pass(0.2), FailOver(), Pass(0.2)],
    "refused and returned": [
        *(Deliver("a", "pp"), Deliver("a"), Pass(0.05), FallBehind(), *LATE),
        *(End(0, "r"), Wake(0, STOOD_STILL), Turn(8), *RETURNED),
    ],
}


@pytest.fixture(scope="module")
def pair() -> Iterator[RedisPair]:
    """Yield a master and a replica."""
    with RedisPair() as pair:
        yield pair


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
        made.finish()


@pytest.mark.parametrize("taken", KNOWN.values(), ids=KNOWN)
def test_known_sequence(pair: RedisPair, taken: Sequence[Step]) -> None:
    """What each precaution is for."""
    play(pair, Durability.MEMORY, taken)


@pytest.mark.parametrize("taken", KNOWN_FAIL_OVERS.values(), ids=KNOWN_FAIL_OVERS)
def test_known_sequence_with_fail_overs(pair: RedisPair, taken: Sequence[Step]) -> None:
    """What a processor believes may have become true again."""
    play(pair, Durability.REPLICA, taken)


@settings(max_examples=EXAMPLES or 4, derandomize=not EXAMPLES, database=None, print_blob=False)
@given(chapters(common | stall | wake | cut_off | link))
def test_any_sequence(pair: RedisPair, taken: list[Step]) -> None:
    """Each event is settled exactly once, in order, by the owner of its partition, whatever happens to the processors."""
    play(pair, Durability.MEMORY, taken)


@settings(max_examples=EXAMPLES or 2, derandomize=not EXAMPLES, database=None, print_blob=False)
@given(chapters(common | stall | wake | fail_over | fail_over))
def test_any_sequence_with_fail_overs(pair: RedisPair, taken: list[Step]) -> None:
    """The same, when Redis itself falls back to an older state; only what a replica had counts as accepted."""
    play(pair, Durability.REPLICA, taken)
