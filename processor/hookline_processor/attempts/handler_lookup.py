"""Which handler an event has: that of its kind, the sender's, or that of the forward that passes it on."""

from typing import Final

from hookline_processor.api.handlers import Handlers
from hookline_processor.api.table import Handler
from hookline_processor.attempts.outgoing import Forwarding, Outgoing
from hookline_shared.catalogue.kinds import MESSAGE_SEND
from hookline_shared.event import Event

_MAX_FOUND: Final = 1000
"""Kinds whose handler is remembered; Twilio can send any number."""


class HandlerLookup:
    """Finds handlers: in `handlers`, then `forwarding`. `outgoing` has that of messages, and needs none for its callbacks."""

    def __init__(self, handlers: Handlers, outgoing: Outgoing | None, forwarding: Forwarding | None) -> None:
        self._handlers = handlers
        self._outgoing = outgoing
        self._forwarding = forwarding
        self._found: dict[str, Handler | None] = {MESSAGE_SEND: outgoing.handler} if outgoing else {}

    def find(self, event: Event) -> Handler | None:
        """Return the handler of `event`, None if it is ignored. It is asked several times for each event.

        Raises:
            LookupError: if it has none, and no forward passes it on.

        """
        try:
            return self._found[event.kind]
        except KeyError:
            return self._find(event)

    def known(self, event: Event) -> Handler | None:
        """Return the handler of `event`, None if it is ignored, or has none."""
        try:
            return self.find(event)
        except LookupError:
            return None

    def handles(self, kind: str) -> bool:
        """Whether all events of `kind` have a handler, or are ignored."""
        try:
            self._find_by_kind(kind)
        except LookupError:
            return False
        return True

    def can_handle(self, event: Event) -> bool:
        """Whether `event` has a handler, is ignored, or needs none."""
        return event.kind in self._found or self.handles(event.kind) or self.is_expected(event) or self._forwards(event)

    def is_expected(self, event: Event) -> bool:
        """Whether `event` tells what became of a message that was sent, which needs no handler."""
        return self._outgoing is not None and self._outgoing.expects(event)

    def _find(self, event: Event) -> Handler | None:
        try:
            return self._find_by_kind(event.kind)
        except LookupError:
            if self.is_expected(event) or self._forwarding is None or (handler := self._forwarding.find(event)) is None:
                raise
            return handler

    def _forwards(self, event: Event) -> bool:
        return self._forwarding is not None and self._forwarding.find(event) is not None

    def _find_by_kind(self, kind: str) -> Handler | None:
        """Return what `Handlers.find` returns, which is remembered."""
        if kind in self._found:
            return self._found[kind]
        handler = self._handlers.find(kind)
        if len(self._found) < _MAX_FOUND:
            self._found[kind] = handler
        return handler
