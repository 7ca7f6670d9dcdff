"""What an attempt that succeeded leaves behind, beside that its event is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from hookline_processor.replies.message import Message, Reply
from hookline_shared.live import LiveAnswer
from hookline_shared.streams.consume import OutboxEntry


@dataclass(frozen=True, slots=True)
class Outputs:
    """The messages of one event, as they are written to the outbox when it is settled: `entries`.

    They are those that the handler passed to `context.send`, `sent`, and those that it returned, `replies`. `sid` is what
    Twilio calls the message that a `message.send` has sent, `answer` what Twilio gets that waits for it.
    """

    entries: Sequence[OutboxEntry] = ()
    sent: Sequence[Message] = ()
    replies: Sequence[Reply | Message] = ()
    sid: str = ""
    answer: LiveAnswer | None = None

    @property
    def size(self) -> int:
        """The approximate number of bytes that a settlement has because of them."""
        answer = len(self.answer.body) if self.answer is not None else 0
        return answer + sum(len(entry.token) + sum(map(len, entry.fields)) for entry in self.entries)


NOTHING = Outputs()
