"""What an attempt that succeeded leaves behind, beside that its event is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hookline_processor.replies.message import Message, Reply
from hookline_shared.live import LiveAnswer
from hookline_shared.streams.memory import MemoryWrite
from hookline_shared.streams.outbox import OutboxEntry


@dataclass(frozen=True, slots=True)
class Outputs:
    """The messages of one event, as they are written to the outbox when it is settled: `entries`.

    They are those that the handler passed to `context.send`, `sent`, and those that it returned, `replies`. `sid` is what
    Twilio calls the message that a `message.send` has sent. `memory` is what becomes of the `document` that the handler had.
    `answer` is what Twilio gets that waits for it.
    """

    entries: Sequence[OutboxEntry] = ()
    sent: Sequence[Message] = ()
    replies: Sequence[Reply | Message] = ()
    sid: str = ""
    memory: MemoryWrite | None = None
    document: Mapping[str, Any] | None = None
    answer: LiveAnswer | None = None

    @property
    def size(self) -> int:
        """The approximate number of bytes that a settlement has because of them."""
        remembered = len(self.memory.text) if self.memory is not None else 0
        answer = len(self.answer.body) if self.answer is not None else 0
        return answer + remembered + sum(len(entry.token) + sum(map(len, entry.fields)) for entry in self.entries)


NOTHING = Outputs()
