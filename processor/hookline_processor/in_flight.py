"""An event that this processor has read and not settled yet."""

from dataclasses import dataclass
from typing import Protocol

from hookline_processor.retry import NEVER_FAILED, Record
from hookline_shared.event import Event


class Settling(Protocol):
    """What measures the time from a verdict until Redis has it, where attempts are traced."""

    def confirmed(self, outcome: str, *, newest: bool) -> "Settling | None":
        """Take note that Redis has written `outcome`, and return what has still to be confirmed."""
        ...


@dataclass(slots=True, eq=False)
class InFlightEvent:
    """An event in this process's memory, from reading it until it is settled."""

    topic: str
    entry_id: str
    event: Event
    record: Record = NEVER_FAILED
    recovered: bool = False
    """Whether it was pending when it was read, so that an attempt may have been begun that nobody ended."""
    recorded: bool = False
    """Whether Redis may hold a retry record of it."""
    withdrawn: bool = False
    """Whether its attempt is being cancelled by us, which is no failure."""
    settling: Settling | None = None
    """What is to be told when Redis has the outcome of the last attempt, if that is traced."""
