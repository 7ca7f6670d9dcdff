"""The public API: which function handles which kind of event, and what runs around it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar, Unpack, overload

from hookline_processor.api.context import CallNext, Middleware, wrapped
from hookline_processor.api.errors import HandlersError
from hookline_processor.api.functions import calling_place, described, has_yield, is_async, name_of
from hookline_processor.api.hooks import DeclaredHook, HookFunction, LifespanFunction, Phase, check_hook
from hookline_processor.api.kinds import patterns_of
from hookline_processor.api.registering import HandlerFunction, HandlerOptions, Register
from hookline_processor.api.signatures import check_callable, check_event_type
from hookline_processor.api.state import State
from hookline_processor.api.table import Entry, Handler, HandlerTable
from hookline_processor.events.events import classes_for
from hookline_processor.events.webhook_event import WebhookEvent
from hookline_processor.retry import RetryPolicy, is_time_span, seconds

MiddlewareFunction = TypeVar("MiddlewareFunction", bound=Middleware)
E1 = TypeVar("E1", bound=WebhookEvent)
E2 = TypeVar("E2", bound=WebhookEvent)
E3 = TypeVar("E3", bound=WebhookEvent)
E4 = TypeVar("E4", bound=WebhookEvent)


class Handlers:
    """A registry of handlers, and of what runs around them. `state` is for what they share, such as a pool of connections.

    >>> handlers = Handlers()
    >>> @handlers.on(MessageReceived, timeout=10)
    ... async def greet(event: MessageReceived, context: Context) -> None: ...
    """

    def __init__(self) -> None:
        self.state = State()
        self.hooks: list[DeclaredHook] = []
        self._table = HandlerTable()
        self._middleware: list[Middleware] = []
        self._included: dict[Handlers, str] = {}
        self._included_at: str | None = None
        self._composed = False

    @overload
    def on(
        self, kind: str, /, *kinds: str, **options: Unpack[HandlerOptions]
    ) -> Callable[[HandlerFunction], HandlerFunction]: ...
    @overload
    def on(self, first: type[E1] | str, /, **options: Unpack[HandlerOptions]) -> Register[E1]: ...
    @overload
    def on(self, first: type[E1] | str, second: type[E2] | str, /, **options: Unpack[HandlerOptions]) -> Register[E1 | E2]: ...
    @overload
    def on(
        self, first: type[E1] | str, second: type[E2] | str, third: type[E3] | str, /, **options: Unpack[HandlerOptions]
    ) -> Register[E1 | E2 | E3]: ...
    @overload
    def on(
        self,
        first: type[E1] | str,
        second: type[E2] | str,
        third: type[E3] | str,
        fourth: type[E4] | str,
        /,
        *more: type[E4] | str,
        **options: Unpack[HandlerOptions],
    ) -> Register[E1 | E2 | E3 | E4]: ...
    def on(
        self,
        *kinds: str | type[WebhookEvent],
        timeout: float | timedelta | None = None,
        retry: RetryPolicy | None = None,
        breaker: str | None = None,
    ) -> Callable[[Any], Any]:
        """Register the decorated function for `kinds`: classes of events, such as `MessageReceived`, or strings.

        "conversation.*" stands for every kind that begins so and has no handler of its own, "*" for every kind without any; of
        several the longest counts. `WebhookEvent` is "*".

        The function takes the event and a `Context`. An `async def` is cancelled at its `timeout`, seconds or a timedelta; a
        plain `def` runs in a thread, which nothing can interrupt, so its conversation waits until it returns.

        `breaker` names what the function talks to, such as "crm". After some failures in a row of different events, all events
        of the handlers with that name wait, un-attempted, until one that is tried now and then succeeds.

        Raises:
            HandlersError: if a kind is unknown or has a handler already, or the function cannot handle it.

        """
        patterns = patterns_of(kinds)
        if timeout is not None and not is_time_span(timeout):
            raise HandlersError(
                f"timeout={timeout!r} is no time-out ({calling_place()}). Give seconds or a timedelta above 0, or leave it out."
            )

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self._check_not_included(described(function))
            _check_handler(function, patterns)
            timeout_s = None if timeout is None else seconds(timeout)
            handler = Handler(name_of(function), function, timeout_s, retry, is_async(function), breaker)
            self._table.add(patterns, Entry(handler, described(function)))
            return function

        return register

    def ignore(self, *kinds: str | type[WebhookEvent]) -> None:
        """Settle events of `kinds` without doing anything, instead of dead-lettering them as unhandled."""
        source = f"handlers.ignore ({calling_place()})"
        self._check_not_included(source)
        self._table.add(patterns_of(kinds), Entry(None, source))

    def include(self, other: "Handlers") -> None:
        """Take over all that is registered in `other`, which can register nothing more from now on.

        Its middleware runs around its own handlers, inside of this registry's. Its hooks and lifespans run where those of this
        registry that are declared here would, with the state of this one, which gets what is in `other.state` by now.

        Raises:
            HandlersError: if both have a handler for a kind or a value under a key of `state`, `other` is included already, or
                it comes when events are being handled.

        """
        place = calling_place()
        self._check_includable(other, f"handlers.include ({place})")
        self._table.include(other._table, other._middleware)
        self.state.update(other.state)
        self.hooks += other.hooks
        self._included |= {other: place} | other._included
        other._included_at = other._included_at or place

    def longest_timeout(self, default_s: float) -> float:
        """Return the longest time-out of any handler, in seconds; `default_s` is that of those that have none of their own."""
        own = (handler.timeout_s for handler in self._table.handlers())
        return max((default_s if timeout_s is None else timeout_s for timeout_s in own), default=0.0)

    def middleware(self, function: MiddlewareFunction) -> MiddlewareFunction:
        """Run the decorated function around every handler, whichever is registered first; the first one is outermost.

        It is an async function of the event, the context and `call_next`, and says `await call_next(event, context)` where the
        handler is to run. What it raises counts as if the handler had; an event whose handler it does not call is settled.

        Raises:
            HandlersError: if it is no async function, or comes when events are being handled already.

        """
        check_callable(function, ("event", "context", "call_next"))
        if not is_async(function):
            raise HandlersError(
                f"{described(function)} cannot be a middleware; write async def ...(event, context, call_next)."
            )
        self._check_in_time(described(function))
        self._middleware.append(function)
        return function

    def on_startup(self, function: HookFunction) -> HookFunction:
        """Run the decorated function, async or plain, in the event loop before the first event, in the order of registration.

        It is given `state`, a dict that handlers see as `context.state`. If it fails, the service stops.

        Raises:
            HandlersError: if it has a yield in it, or cannot take `state`.

        """
        self._declare(Phase.STARTUP, function)
        return function

    def on_shutdown(self, function: HookFunction) -> HookFunction:
        """Run the decorated function, async or plain, in the event loop after the last handler ended, in reverse order.

        It is given `state`, in which something may be missing if start-up failed.

        Raises:
            HandlersError: if it has a yield in it, or cannot take `state`.

        """
        self._declare(Phase.SHUTDOWN, function)
        return function

    def lifespan(self, function: LifespanFunction) -> LifespanFunction:
        """Run the decorated `async def` up to its one `yield` at start-up, and the rest at shut-down.

        It is given `state`. Its place among the hooks is that of its registration: what is opened last is closed first. It runs
        in a task of its own, so it may hold a `TaskGroup` open; if that fails meanwhile, the service stops.

        Raises:
            HandlersError: if it has no yield, or cannot take `state`.

        """
        self._declare(Phase.LIFESPAN, function)
        return function

    def compose(self, handler: Handler, call: CallNext) -> CallNext:
        """Return `call`, which runs `handler`, with all middleware around it; `call` itself if there is none."""
        self._composed = True
        return wrapped(call, (*self._middleware, *handler.middleware))

    def functions(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Return every function that was registered, for whatever purpose, with its name."""
        registered: list[Callable[..., Any]] = [*self._middleware, *(hook.function for hook in self.hooks)]
        for handler in self._table.handlers():
            registered += (handler.function, *handler.middleware)
        return ((name_of(function), function) for function in registered)

    def find(self, kind: str) -> Handler | None:
        """Return the handler of `kind`, None if it is ignored.

        Raises:
            LookupError: if nothing is registered for it.

        """
        return self._table.find(kind)

    def _declare(self, phase: Phase, function: Callable[..., Any]) -> None:
        check_hook(function, phase)
        self._check_in_time(described(function))
        self.hooks.append(DeclaredHook(phase, function))

    def _check_includable(self, other: object, source: str) -> None:
        self._check_in_time(source)
        if not isinstance(other, Handlers):
            raise HandlersError(f"{source} includes a {type(other).__name__}. Name a Handlers(), such as orders.handlers.")
        if other is self:
            raise HandlersError(f"{source} includes a registry in itself. Include another one.")
        twice = next((one for one in (other, *other._included) if one is self or one in self._included), None)
        if twice is not None:
            where = self._included.get(twice) or other._included.get(twice)
            raise HandlersError(f"{source} includes what was included already, at {where}. Include each registry once.")
        clash = next((key for key in other.state if key in self.state and self.state[key] is not other.state[key]), None)
        if clash is not None:
            raise HandlersError(f"{source}: both registries have a state[{clash!r}]. Set it in one of them.")

    def _check_in_time(self, source: str) -> None:
        self._check_not_included(source)
        if self._composed:
            raise HandlersError(f"{source} comes too late: events are being handled. Register it when the module is imported.")

    def _check_not_included(self, source: str) -> None:
        if self._included_at is not None:
            raise HandlersError(
                f"{source} comes too late: its registry was included at {self._included_at}. Include it after it is complete."
            )


def _check_handler(function: Callable[..., Any], patterns: list[str]) -> None:
    check_callable(function, ("event", "context"))
    if has_yield(function):
        raise HandlersError(f"{described(function)} has a yield in it; a handler is an ordinary or an async function.")
    for pattern in patterns:
        check_event_type(function, pattern, classes_for(pattern))
