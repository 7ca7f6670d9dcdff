"""What one attempt sends and returns, until it has succeeded. No I/O."""

from dataclasses import replace

from hookline_processor.replies.memory import Memory
from hookline_processor.replies.message import Message, UnfitError
from hookline_processor.replies.outputs import NOTHING, Outputs
from hookline_processor.replies.returned import outputs_of
from hookline_shared.catalogue.webhook_event import WebhookEvent


class Collected:
    """The messages that an attempt sends, and what its handler returned and remembers. Most attempts have none of it.

    A failed call of the handler leaves nothing of what it sent, even if a middleware calls it again.
    """

    __slots__ = ("_ended", "_returned", "memory", "messages")

    def __init__(self, memory: Memory | None = None) -> None:
        self.messages: list[Message] = []
        self.memory = memory
        self._returned: object = None
        self._ended = False

    def send(self, message: Message) -> None:
        """Add a message.

        Raises:
            UnfitError: if it is none.
            RuntimeError: if the attempt is over.

        """
        if not isinstance(message, Message):
            raise UnfitError(f"context.send takes a Message(to, text), not a {type(message).__name__}.")
        if self._ended:
            raise RuntimeError("the attempt is over, so nothing can be sent with it; await everything that sends")
        self.messages.append(message)

    def keep(self, returned: object) -> None:
        """Keep what the handler returned, whatever middleware does with it."""
        self._returned = returned

    def forget(self, number: int) -> None:
        """Forget what was sent after the first `number` messages, and what memory got: the call that did it failed."""
        del self.messages[number:]
        if self.memory is not None:
            self.memory.reset()

    def end(self) -> None:
        """Accept no more messages."""
        self._ended = True

    def outputs(self, event: WebhookEvent, now_ms: int) -> Outputs:
        """Return what is to be recorded when `event` is settled, `NOTHING` if that is nothing. `now_ms` is Unix time in ms.

        Raises:
            UnfitError: if the handler returned something that cannot be sent, or remembers something that cannot be stored.

        """
        sends = self._returned is not None or bool(self.messages)
        outputs = outputs_of(event, self._returned, self.messages, now_ms) if sends else NOTHING
        if self.memory is None:
            return outputs
        write = self.memory.write(event.raw, sends=bool(outputs.entries))
        return outputs if write is None else replace(outputs, memory=write, document=self.memory.document)
