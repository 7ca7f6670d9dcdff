"""What attempts ask of others: of the sender, of the memory of conversations, and of forwards."""

from typing import Protocol

from hookline_processor.api.table import Handler
from hookline_shared.event import Event
from hookline_shared.streams.memory import StoredMemory


class MemoryReader(Protocol):
    """Reads what is remembered of conversations."""

    async def load(self, event: Event) -> StoredMemory:
        """Return the document of the conversation of `event`. Raise `BrokerUnavailableError` if Redis does not answer."""
        ...


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
