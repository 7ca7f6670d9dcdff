"""The sequences of steps: known ones, and the strategies for those that nobody thought of."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from hypothesis import strategies as st

from hookline_shared.topics import CALLS, MESSAGES, STATUSES
from tests.integration.processor.machine.faults import (
    Destination,
    Drop,
    Hold,
    LogFails,
    ProcessClock,
    Release,
    RetryNow,
    ServerClock,
)
from tests.integration.processor.machine.harness import LEASE_S
from tests.integration.processor.machine.invariants import UNREAD
from tests.integration.processor.machine.scripted_handlers import CALL, MESSAGE
from tests.integration.processor.machine.steps import (
    HUGE,
    CatchUp,
    Crash,
    CutOff,
    Deliver,
    End,
    EndAll,
    FailOver,
    FallBehind,
    Join,
    Leave,
    Link,
    Pass,
    Stall,
    Turn,
    Wake,
)
from tests.integration.processor.machine.system import MOST_MEMBERS, SystemUnderTest

KEYS: Final = ("a", "b", "d", "e")  # two of each partition
LONG_S: Final = LEASE_S * 1.5


class Step(Protocol):
    """One thing that happens."""

    def take(self, system: SystemUnderTest) -> None:
        """Let it happen."""
        ...


number = st.integers(0, MOST_MEMBERS - 1)
topic = st.sampled_from([MESSAGES, MESSAGES, STATUSES])
key = st.sampled_from(KEYS)
script = st.sampled_from(
    ["", "", "p", "pp", "ppp", "e", "ep", "eee", "pe", "r", "pr", "l", "lp", "L", "Lp", "pL", "LL", "bk", "gsx"]
)
deliver = st.builds(Deliver, key, script, topic)
huge = st.builds(Deliver, key, script, topic, st.just(MESSAGE), st.just(HUGE))
call = st.builds(Deliver, key, script, st.sampled_from([CALLS, CALLS, MESSAGES]), st.just(CALL))
unread = st.builds(Deliver, key, st.just(""), st.just(UNREAD))
end = st.builds(End, number, st.sampled_from("derlLbk"))
passing = st.builds(Pass, st.sampled_from([0.01, 0.05, 0.2, LONG_S]))
join, leave, crash, cut_off = st.builds(Join), st.builds(Leave, number), st.builds(Crash, number), st.builds(CutOff, number)
stall, wake, link = st.builds(Stall, number), st.builds(Wake, number, st.booleans()), st.builds(Link, number)
fail_over: st.SearchStrategy[Step] = st.sampled_from([FallBehind(), CatchUp(), FailOver()])
hold = st.sampled_from(
    [Hold(), Hold(topic=MESSAGES), Hold(topic=CALLS), Hold(kind=CALL), Hold(kind="message.*"), Hold(key="a")]
)
operator: st.SearchStrategy[Step] = hold | hold | st.sampled_from([Release(), Release(), RetryNow(), RetryNow(), Drop()])
aheads = st.sampled_from([0, 1800, 7200, -7200, 366 * 86400])
clock = st.builds(ServerClock, st.sampled_from([0, 7200, -7200])) | st.builds(ProcessClock, number, aheads)
fault = st.builds(Destination, st.booleans()) | st.builds(LogFails, number, st.booleans())
common = deliver | deliver | deliver | deliver | end | end | join | leave | crash | passing | passing
events = huge | call | call | call | unread
trouble = events | events | operator | operator | clock | fault


def chapters(single: st.SearchStrategy[Step]) -> st.SearchStrategy[list[Step]]:
    """Return sequences of single steps, and of longer ones that hang together and chance would seldom put so."""
    some = st.lists(single, max_size=3).map(tuple)
    busy = st.lists(deliver | call, min_size=1, max_size=3).map(lambda delivered: (*delivered, Pass(0.02)))
    after = st.tuples(join, some, st.just(Pass(LONG_S)), st.builds(EndAll, st.sampled_from("dder")) | end, some)
    absence = st.tuples(busy, stall, after, wake, some)
    isolation = st.tuples(busy, cut_off, after, link, some)
    parted = st.lists(st.tuples(single) | st.tuples(single) | absence | isolation, min_size=2, max_size=6)
    return st.tuples(st.lists(join, max_size=2).map(tuple), some, parted.map(tuple)).map(lambda parts: list(_flat(parts)))


def _flat(parts: Iterable[Any]) -> Iterator[Step]:
    for part in parts:
        yield from _flat(part) if isinstance(part, tuple) else (part,)


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
