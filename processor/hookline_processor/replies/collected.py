"""What one attempt sends and returns, until it has succeeded. No I/O."""

from hookline_processor.replies.message import Message, UnfitError
from hookline_processor.replies.outputs import Outputs
from hookline_processor.replies.returned import outputs_of
from hookline_shared.catalogue.webhook_event import WebhookEvent


class Collected:
    """The messages that an attempt sends, and what its handler returned. Most attempts have neither.

    A failed call of the handler leaves nothing of what it sent, even if a middleware calls it again.
    """

    __slots__ = ("_ended", "_returned", "messages")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._returned: object = None
        self._ended = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was sent or returned."""
        return self._returned is None and not self.messages

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
        """Forget what was sent after the first `number` messages: the call that sent it failed."""
        del self.messages[number:]

    def end(self) -> None:
        """Accept no more messages."""
        self._ended = True

    def outputs(self, event: WebhookEvent, now_ms: int) -> Outputs:
        """Return what is to be recorded when `event` is settled. `now_ms` is Unix time in milliseconds.

        Raises:
            UnfitError: if the handler returned something that cannot be sent.

        """
        return outputs_of(event, self._returned, self.messages, now_ms)
