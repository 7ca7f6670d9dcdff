"""What became of the events of several processors, from the lines that their handlers wrote. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from tests.acceptance.support.records import Line

NO_FAULT: Final = "no fault"

_DELIVERY_S = 0.5
"""So long may a signal take to reach a process."""


class Fault(NamedTuple):
    """What was done to the processor `pid` at Unix time `at`, after which what it was doing may be done again elsewhere."""

    name: str
    pid: int
    at: float

    def excuses(self, first: Line, second: Line) -> bool:
        """Whether `second` may have begun though `first` had, because of this."""
        pid, begun_at, again_at = int(first["pid"]), float(first["at"]), float(second["at"])
        return pid == self.pid and begun_at <= self.at + _DELIVERY_S and again_at >= self.at


class History:
    """The attempts in `lines`, which are in the order in which they were written, among `faults`."""

    def __init__(self, lines: Sequence[Line], faults: Sequence[Fault] = ()) -> None:
        self._lines = lines
        self._faults = faults

    @property
    def handled(self) -> set[str]:
        """The SIDs of all that was handled."""
        return {line["sid"] for line in self._lines if line["what"] == "end"}

    def again(self) -> Counter[str]:
        """Return how many attempts were made of events that were being, or had been, attempted; by the name of the fault.

        Those that no fault excuses are under "no fault".
        """
        return Counter(self._excuse(*pair) for begins in self._by_event("begin") for pair in pairwise(begins))

    def twice(self) -> int:
        """Return how many events were handled to the end more than once."""
        return sum(len(ends) > 1 for ends in self._by_event("end"))

    def burnt(self) -> int:
        """Return how many attempts were not the first, by their number."""
        return sum(line["attempt"] != 1 for line in self._lines)

    def at_once(self) -> int:
        """Return how often an attempt began while one of the same conversation was going on, and no fault excuses that."""
        running: dict[str, Line] = {}
        found = 0
        for line in self._lines:
            other = running.get(line["from"])
            if line["what"] == "begin":
                found += other is not None and self._excuse(other, line) == NO_FAULT
                running[line["from"]] = line
            elif other is not None and (other["id"], other["pid"]) == (line["id"], line["pid"]):
                del running[line["from"]]
        return found

    def out_of_order(self, what: str) -> int:
        """Return how many events had their first "begin", or "end", after a later one of their conversation."""
        latest: dict[str, str] = {}
        seen: set[str] = set()
        found = 0
        for line in self._lines:
            if line["what"] == what and line["sid"] not in seen:
                seen.add(line["sid"])
                found += line["sid"] < latest.get(line["from"], "")  # they are numbers, all of one length
                latest[line["from"]] = line["sid"]
        return found

    def _excuse(self, first: Line, second: Line) -> str:
        return next((fault.name for fault in self._faults if fault.excuses(first, second)), NO_FAULT)

    def _by_event(self, what: str) -> Iterable[list[Line]]:
        found: defaultdict[str, list[Line]] = defaultdict(list)
        for line in self._lines:
            if line["what"] == what:
                found[line["id"]].append(line)
        return found.values()
