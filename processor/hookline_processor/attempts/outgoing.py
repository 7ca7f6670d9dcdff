"""What attempts ask of the sender, and of forwards."""

from typing import Protocol

from hookline_processor.api.table import Handler
from hookline_shared.event import Event


class Forwarding(Protocol):
    """Passes events on that have no handler of their own."""

    def find(self, event: Event) -> Handler | None:
        """Return the handler that passes `event` on, None if there is none."""
        ...


class Outgoing(Protocol):
    """Sends messages: `handler` is that of their kind. It learns from some events what became of them."""

    @property
    def handler(self) -> Handler:
        """The handler of `message.send`."""
        ...

    def expects(self, event: Event) -> bool:
        """Whether `event` says what became of a message. Such an event needs no handler."""
        ...

    async def note(self, event: Event) -> bool:
        """Note what `event` says. Return False if that has to be tried again."""
        ...
