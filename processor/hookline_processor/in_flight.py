"""An event that this processor has read and not yet settled."""

from dataclasses import dataclass
from typing import Protocol

from hookline_processor.retry_record import NEVER_FAILED, Record
from hookline_shared.event import Event


class Settling(Protocol):
    """Measures the time from a verdict until Redis confirms it, where attempts are traced."""

    def confirmed(self, outcome: str, *, newest: bool) -> "Settling | None":
        """Record that Redis has written `outcome`. Return the measurement that still waits for a confirmation, if any."""
        ...


@dataclass(slots=True, eq=False)
class InFlightEvent:
    """An event in the memory of this process, from reading to settlement. `entry_id` is the id of its stream entry."""

    topic: str
    entry_id: str
    event: Event
    record: Record = NEVER_FAILED
    recovered: bool = False
    """Whether it was pending when it was read, so that an earlier attempt may have been interrupted."""
    recorded: bool = False
    """Whether Redis may have a retry record of it."""
    withdrawn: bool = False
    """Whether the processor is cancelling its attempt, which does not count as a failure."""
    replayed: bool = False
    """Whether it was a dead letter before."""
    lane_id: str = ""
    """The lane whose indexed entry it is, empty if it is not in the waiting index."""
    started_at: float | None = None
    """When its attempt that runs began, in monotonic seconds; None if none runs."""
    settling: Settling | None = None
    """The span that waits until Redis confirms the outcome of the last attempt, if that is traced."""
    burst: "tuple[InFlightEvent, ...]" = ()
    """The events behind it that are attempted and settled with it."""

    @property
    def interrupted(self) -> bool:
        """Whether an earlier run was cut short, or may have been: after a crash nobody knows what had begun."""
        return self.recovered or self.record.interrupted
