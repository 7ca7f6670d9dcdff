"""What an attempt that succeeded leaves behind, beside that its event is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from hookline_shared.streams.consume import OutboxEntry


@dataclass(frozen=True, slots=True)
class Outputs:
    """The messages of one event, as they are written to the outbox when it is settled."""

    entries: Sequence[OutboxEntry] = ()

    @property
    def size(self) -> int:
        """The approximate number of bytes that a settlement has because of them."""
        return sum(len(entry.token) + sum(map(len, entry.fields)) for entry in self.entries)


NOTHING = Outputs()
