"""What a handler is told beside its event, and what may run around it."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any

from hookline_processor.api.state import State
from hookline_shared.event import Event
from hookline_shared.observability.logs import Logger


class Context:
    """What a handler may know about the attempt it is in.

    `attempt` counts from 1. `deadline` is the Unix time in seconds after which the attempt counts as timed out.
    `idempotency_key` is the same whenever this webhook is handled, in every attempt and should it become a second event: hand
    it to whatever must not happen twice. `state` is what the start-up hooks and lifespans made, the same for all.
    """

    def __init__(self, attempt: int, deadline: float, event: Event, state: State, logger: Logger) -> None:
        self.attempt = attempt
        self.deadline = deadline
        self.state = state
        self.idempotency_key = event.dedupe_key
        self._event = event
        self._logger = logger

    @cached_property
    def logger(self) -> Logger:
        """A structlog logger that names the event; numbers, bodies and tokens are redacted."""
        return self._logger.bind(event_id=self._event.id, kind=self._event.kind, attempt=self.attempt)


CallNext = Callable[[Any, Context], Awaitable[None]]
"""What runs a handler at an event, and what a middleware is given as `call_next`."""

Middleware = Callable[[Any, Context, CallNext], Awaitable[None]]
"""What runs around handlers."""


def wrapped(call: CallNext, middleware: tuple[Middleware, ...]) -> CallNext:
    """Return `call` with `middleware` around it, the first one outermost; `call` itself if there is none."""
    for outer in reversed(middleware):
        call = _around(outer, call)
    return call


def _around(outer: Middleware, call: CallNext) -> CallNext:
    return lambda event, context: outer(event, context, call)
