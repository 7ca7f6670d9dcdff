"""The context of one attempt, and the types of middleware."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from inspect import isawaitable
from typing import Any

from hookline_processor.api.functions import is_async, name_of
from hookline_processor.api.state import State
from hookline_processor.replies.collected import Collected
from hookline_processor.replies.memory import Memory
from hookline_processor.replies.message import Message
from hookline_shared.event import Event
from hookline_shared.observability.logs import Logger


class Context:
    """The context of one attempt: the second argument of every handler and middleware.

    - `attempt`: an integer, the number of this attempt, from 1.
    - `deadline`: a float, the Unix time in seconds after which the attempt counts as timed out.
    - `idempotency_key`: a string that is the same in every attempt for this webhook, even if Twilio's retry of the webhook
      becomes a second event. Pass it to every operation that must not happen twice.
    - `interrupted`: a bool, whether an earlier run for this event was cut short, or may have been: by a stop or crash of the
      process, or the loss of its lease. That run may have done a part of its work.
    - `state`: the `State` of the registry, filled by start-up hooks and lifespans, and shared by all handlers.
    """

    def __init__(
        self,
        attempt: int,
        deadline: float,
        event: Event,
        state: State,
        logger: Logger,
        memory: Memory | None = None,
        *,
        interrupted: bool = False,
    ) -> None:
        self.attempt = attempt
        self.deadline = deadline
        self.interrupted = interrupted
        self.state = state
        self.idempotency_key = event.dedupe_key
        self._event = event
        self._logger = logger
        self._collected = Collected(memory)

    @property
    def memory(self) -> dict[str, Any]:
        """What the handlers of this conversation remember: a dict of what JSON has, 64 KiB at most. It may be changed.

        It is stored in the step that settles the event, for 30 days. If the attempt fails, nothing of it changes.

        Raises:
            RuntimeError: if the handler is not registered with `memory=True`.

        """
        return self._memory().document

    @memory.setter
    def memory(self, document: dict[str, Any]) -> None:
        self._memory().replace(document)

    def send(self, message: Message) -> None:
        """Send `message`, a `Message`, when the attempt has succeeded; if it fails, nothing is sent.

        It is recorded in the step that settles the event, and sent once, in the order of its conversation.

        Raises:
            UnfitError: if it is no `Message`.
            RuntimeError: if the attempt is over.

        """
        self._collected.send(message)

    def _memory(self) -> Memory:
        if self._collected.memory is None:
            raise RuntimeError("this handler has no memory; register it with memory=True: @handlers.on(..., memory=True)")
        return self._collected.memory

    @cached_property
    def logger(self) -> Logger:
        """A structlog logger with the event id, kind and attempt bound. It redacts numbers, bodies and tokens of the event."""
        return self._logger.bind(event_id=self._event.id, kind=self._event.kind, attempt=self.attempt)


def collected_by(context: Context) -> Collected:
    """Return what the attempt with `context` sends and returns."""
    return context._collected


CallNext = Callable[[Any, Context], Awaitable[None]]
"""The type of `call_next`: an async function of the event and the context that runs the next middleware or the handler."""

Middleware = Callable[[Any, Context, CallNext], Awaitable[None]]
"""The type of a middleware: an async function of the event, the context and `call_next`."""


def wrapped(call: CallNext, middleware: tuple[Middleware, ...]) -> CallNext:
    """Return `call` with `middleware` around it, the first one outermost; `call` itself if there is none."""
    for outer in reversed(middleware):
        call = _around(outer, call)
    return call


def _around(outer: Middleware, call: CallNext) -> CallNext:
    return (lambda event, context: outer(event, context, call)) if is_async(outer) else _checked(outer, call)


def _checked(outer: Middleware, call: CallNext) -> CallNext:
    """Return `call` with a plain function around it, which must return something to await: otherwise nothing would run."""

    async def run(event: Any, context: Context) -> None:
        result: Any = outer(event, context, call)
        if not isawaitable(result):
            raise TypeError(f"the middleware {name_of(outer)} returned {result!r}; make it async def, and await call_next")
        await result

    return run
