"""The public API: which function handles which kind of event."""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

from hookline_processor.functions import has_yield, is_async, name_of
from hookline_processor.retry import RetryPolicy
from hookline_shared.errors import HooklineError
from hookline_shared.event import Event
from hookline_shared.logs import Logger

_PATTERN: Final = re.compile(r"\*|[^*]+(\.\*)?")
"""A kind, all kinds that begin with one, or all kinds."""

HandlerFunction = TypeVar("HandlerFunction", bound=Callable[..., Any])


class HandlersError(HooklineError):
    """The user's handlers cannot be loaded or are declared wrongly."""


@dataclass(frozen=True, eq=False)
class Handler:
    """One registered function. `timeout_s` and `retry` are None where the service's settings apply."""

    name: str
    function: Callable[..., Any]
    timeout_s: float | None
    retry: RetryPolicy | None
    is_async: bool
    breaker: str | None = None


class Context:
    """What a handler may know about the attempt it is in.

    `attempt` counts from 1. `deadline` is the Unix time in seconds after which the attempt counts as timed out.
    `idempotency_key` is the same whenever this webhook is handled, in every attempt and should it become a second event: hand
    it to whatever must not happen twice. `state` is what the start-up hooks made, the same for all.
    """

    def __init__(self, attempt: int, deadline: float, event: Event, state: dict[str, Any], logger: Logger) -> None:
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
"""What runs around every handler."""

Hook = Callable[[dict[str, Any]], object]
"""What runs at start-up or shut-down; of an async one the object is a coroutine."""

MiddlewareFunction = TypeVar("MiddlewareFunction", bound=Middleware)
HookFunction = TypeVar("HookFunction", bound=Hook)


class Handlers:
    """A registry of handlers, and of what runs around them. `state` is for what they share, such as a pool of connections.

    >>> handlers = Handlers()
    >>> @handlers.on("message.received", timeout=10)
    ... async def greet(event: MessageReceived, context: Context) -> None: ...
    """

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.startup_hooks: list[Hook] = []
        self.shutdown_hooks: list[Hook] = []
        self._by_kind: dict[str, Handler | None] = {}
        self._middleware: list[Middleware] = []
        self._composed = False

    def on(
        self, *kinds: str, timeout: float | None = None, retry: RetryPolicy | None = None, breaker: str | None = None
    ) -> Callable[[HandlerFunction], HandlerFunction]:
        """Register the decorated function for `kinds`.

        "conversation.*" stands for every kind that begins so and has no handler of its own, "*" for every kind without any; of
        several the longest counts.

        The function takes the event and a `Context`. An `async def` is cancelled at its time-out, in seconds; a plain `def`
        runs in a thread, which nothing can interrupt, so its conversation waits until it returns.

        `breaker` names what the function talks to, such as "crm". After some failures in a row of different events, all events
        of the handlers with that name wait, un-attempted, until one that is tried now and then succeeds.

        Raises:
            HandlersError: if a kind has a handler already, or what is registered cannot be one.

        """
        if not kinds or callable(kinds[0]):
            raise HandlersError('Name the kind of event: @handlers.on("message.received").')
        if timeout is not None and timeout <= 0:
            raise HandlersError(f"A time-out of {timeout} s leaves no time; give more than 0, or leave it out.")

        def register(function: HandlerFunction) -> HandlerFunction:
            if has_yield(function):
                raise HandlersError(f"{name_of(function)} has a yield in it; a handler is an ordinary or an async function.")
            handler = Handler(name_of(function), function, timeout, retry, is_async(function), breaker)
            for kind in kinds:
                self._add(kind, handler)
            return function

        return register

    def ignore(self, *kinds: str) -> None:
        """Settle events of `kinds` without doing anything, instead of dead-lettering them as unhandled."""
        for kind in kinds:
            self._add(kind, None)

    def longest_timeout(self, default_s: float) -> float:
        """Give the longest time-out of any handler, in seconds; `default_s` is that of those that have none of their own."""
        own = (handler.timeout_s for handler in self._by_kind.values() if handler is not None)
        return max((default_s if timeout_s is None else timeout_s for timeout_s in own), default=0.0)

    def middleware(self, function: MiddlewareFunction) -> MiddlewareFunction:
        """Run the decorated function around every handler, whichever is registered first; the first one is outermost.

        It is an async function of the event, the context and `call_next`, and says `await call_next(event, context)` where the
        handler is to run. What it raises counts as if the handler had; an event whose handler it does not call is settled.

        Raises:
            HandlersError: if it is no async function, or comes when events are being handled already.

        """
        if not callable(function) or not is_async(function):
            raise HandlersError(f"{name_of(function)} cannot be a middleware; write async def ...(event, context, call_next).")
        if self._composed:
            raise HandlersError(f"{name_of(function)} comes too late: register middleware before the first event is handled.")
        self._middleware.append(function)
        return function

    def on_startup(self, function: HookFunction) -> HookFunction:
        """Run the decorated function, async or plain, in the event loop before the first event, in the order of registration.

        It is given `state`, a dict that handlers see as `context.state`. If it fails, the service stops.

        Raises:
            HandlersError: if it has a yield in it.

        """
        self.startup_hooks.append(_checked_hook(function))
        return function

    def on_shutdown(self, function: HookFunction) -> HookFunction:
        """Run the decorated function, async or plain, in the event loop after the last handler ended, in reverse order.

        It is given `state`, in which something may be missing if start-up failed.

        Raises:
            HandlersError: if it has a yield in it.

        """
        self.shutdown_hooks.append(_checked_hook(function))
        return function

    def compose(self, call: CallNext) -> CallNext:
        """Give `call` with all middleware around it, which is `call` itself if there is none."""
        self._composed = True
        for outer in reversed(self._middleware):
            call = _around(outer, call)
        return call

    def functions(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Give every function that was registered, for whatever purpose, with its name."""
        registered: list[Callable[..., Any]] = [handler.function for handler in self._by_kind.values() if handler is not None]
        registered += [*self._middleware, *self.startup_hooks, *self.shutdown_hooks]
        return ((name_of(function), function) for function in registered)

    def find(self, kind: str) -> Handler | None:
        """Give the handler of `kind`, None if it is ignored.

        Raises:
            LookupError: if nothing is registered for it.

        """
        for pattern in _patterns(kind):
            if pattern in self._by_kind:
                return self._by_kind[pattern]
        raise LookupError(
            f'No handler is registered for "{kind}". Add one with @handlers.on("{kind}") and replay this dead letter, '
            f'or say handlers.ignore("{kind}").'
        )

    def _add(self, kind: str, handler: Handler | None) -> None:
        if not _PATTERN.fullmatch(kind):
            raise HandlersError(
                f'"{kind}" is no kind. Write all of it, such as "message.received"; a "*" stands alone, or for all that '
                'follows a dot, such as "message.*" or "taskrouter.reservation.*".'
            )
        if kind in self._by_kind:
            raise HandlersError(f'"{kind}" has a handler already; an event has exactly one.')
        self._by_kind[kind] = handler


def _patterns(kind: str) -> Iterator[str]:
    """Give what a handler of `kind` can be registered for, the most specific first."""
    yield kind
    family = kind
    while "." in family:
        family, _, _ = family.rpartition(".")
        yield f"{family}.*"
    yield "*"


def _checked_hook(function: HookFunction) -> HookFunction:
    if not callable(function) or has_yield(function):
        raise HandlersError(
            f"{name_of(function)} cannot be a hook; write an ordinary or an async function of state, without a yield: "
            "what on_startup opens, another function closes on_shutdown."
        )
    return function


def _around(outer: Middleware, call: CallNext) -> CallNext:
    return lambda event, context: outer(event, context, call)
