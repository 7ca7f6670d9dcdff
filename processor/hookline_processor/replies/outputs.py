"""What an attempt that succeeded leaves behind, beside that its event is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from hookline_processor.replies.message import Message, Reply
from hookline_shared.streams.consume import OutboxEntry


@dataclass(frozen=True, slots=True)
class Outputs:
    """The messages of one event, as they are written to the outbox when it is settled: `entries`.

    They are those that the handler passed to `context.send`, `sent`, and those that it returned, `replies`. `sid` is what
    Twilio calls the message that a `message.send` has sent.
    """

    entries: Sequence[OutboxEntry] = ()
    sent: Sequence[Message] = ()
    replies: Sequence[Reply | Message] = ()
    sid: str = ""

    @property
    def size(self) -> int:
        """The approximate number of bytes that a settlement has because of them."""
        return sum(len(entry.token) + sum(map(len, entry.fields)) for entry in self.entries)


NOTHING = Outputs()
