"""The registry of handlers, middleware, and start-up and shut-down hooks."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar, Unpack, overload

from hookline_processor.api.context import CallNext, Middleware, wrapped
from hookline_processor.api.errors import HandlersError
from hookline_processor.api.function_checks import check_callable, check_event_type, check_return_type
from hookline_processor.api.functions import calling_place, described, has_yield, is_async, is_lambda, name_of, wraps_async
from hookline_processor.api.hooks import DeclaredHook, HookFunction, LifespanFunction, Phase, check_hook
from hookline_processor.api.patterns import patterns_of
from hookline_processor.api.registering import (
    HandlerFunction,
    HandlerOptions,
    Register,
    RegisterForMessages,
    burst_policy_of,
    timeout_s_of,
)
from hookline_processor.api.state import State
from hookline_processor.api.table import Handler, HandlerTable, Registration
from hookline_processor.events.events import classes_for
from hookline_processor.retry_policy import RetryPolicy
from hookline_shared.catalogue.products.messaging import MessageReceived
from hookline_shared.catalogue.webhook_event import WebhookEvent

MiddlewareFunction = TypeVar("MiddlewareFunction", bound=Middleware)
E1 = TypeVar("E1", bound=WebhookEvent)
E2 = TypeVar("E2", bound=WebhookEvent)
E3 = TypeVar("E3", bound=WebhookEvent)
E4 = TypeVar("E4", bound=WebhookEvent)


class Handlers:
    """A registry of handlers, middleware and hooks. `state` is a `State` that they share, for example a connection pool.

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
    def on(  # type: ignore[overload-overlap] # what is registered for messages alone answers them
        self, first: type[MessageReceived], /, **options: Unpack[HandlerOptions]
    ) -> RegisterForMessages: ...
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
        memory: bool = False,
        burst_s: float | timedelta | None = None,
        burst_limit_s: float | timedelta = 10,
    ) -> Callable[[Any], Any]:
        """Register the decorated function for `kinds`: classes of events, such as `MessageReceived`, or strings.

        "conversation.*" matches every kind with that prefix that has no handler of its own; "*" matches every kind without a
        handler, and `WebhookEvent` means the same. The longest match is used.

        The function takes the event and a `Context`. If it returns, the event is done. What a function for messages returns is
        sent to whoever wrote: a str, a `Reply`, a list of these, or TwiML. None sends nothing, and is all that others return.
        It raises `Reject` for a dead letter at once, `RetryLater` for another attempt at a given time, and any other exception
        for a retry with backoff.

        `timeout` is a number of seconds or a timedelta; by default PROCESSOR_HANDLER_TIMEOUT_S. An `async def` is cancelled at
        the time-out. A plain `def` runs in a thread, which cannot be interrupted, so its conversation waits until it returns.

        `retry` is a `RetryPolicy`; by default the one of the settings. `breaker` is a string that names what the function
        calls, for example "crm". After PROCESSOR_BREAKER_FAILURES failures in a row of different events, all events whose
        handlers have this name wait, without attempts, until a probe succeeds.

        With `memory=True` the function has `context.memory`, a dict that the handlers of one conversation share. It is read
        before every attempt, and stored when the event is done.

        With `burst_s`, several events of one kind and conversation are handled as one, `event.burst`: the function runs when
        none has come for `burst_s` seconds, `burst_limit_s` after the first at the latest, and gets eight at most.

        Raises:
            HandlersError: if a kind is unknown or already has a handler, an argument is invalid, or the function cannot take
                the event.

        """
        patterns = patterns_of(kinds)
        timeout_s = timeout_s_of(timeout)
        burst = burst_policy_of(burst_s, burst_limit_s)

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self._check_not_included(described(function))
            _check_handler(function, patterns)
            asynchronous = is_async(function), wraps_async(function)
            handler = Handler(name_of(function), function, timeout_s, retry, *asynchronous, breaker, memory=memory, burst=burst)
            self._table.add(patterns, Registration(handler, described(function)))
            return function

        return register

    def ignore(self, *kinds: str | type[WebhookEvent]) -> None:
        """Settle events of `kinds` without a handler. Otherwise they would wait for one, and then become dead letters.

        `kinds` are classes of events or strings, as for `on`.

        Raises:
            HandlersError: if a kind is unknown or already has a handler.

        """
        source = f"handlers.ignore ({calling_place()})"
        self._check_not_included(source)
        self._table.add(patterns_of(kinds), Registration(None, source))

    def include(self, other: "Handlers") -> None:
        """Add everything that is registered in `other`, another `Handlers`. After that, `other` accepts no registrations.

        The middleware of `other` runs only around its own handlers, inside the middleware of this registry. Its hooks and
        lifespans run in the place of this call, with the state of this registry, to which `other.state` is copied.

        Raises:
            HandlersError: if both registries have a handler for the same kind, or different values under the same key of
                `state`, if `other` is already included, or if events are already being handled.

        """
        place = calling_place()
        self._check_includable(other, f"handlers.include ({place})")
        self._table.include(other._table, other._middleware)
        self.state.update(other.state)
        self.hooks += other.hooks
        self._included |= {other: place} | other._included
        other._included_at = other._included_at or place

    def longest_timeout(self, default_s: float) -> float:
        """Return the longest time-out of any handler, in seconds. `default_s` applies to handlers without one."""
        own = (handler.timeout_s for handler in self._table.handlers())
        return max((default_s if timeout_s is None else timeout_s for timeout_s in own), default=0.0)

    def has_bursts(self) -> bool:
        """Whether any handler gathers events."""
        return any(handler.burst is not None for handler in self._table.handlers())

    def middleware(self, function: MiddlewareFunction) -> MiddlewareFunction:
        """Run the decorated function around every handler. The function that is registered first is outermost.

        It is an async function of the event, the `Context` and `call_next`, and runs the handler with
        `await call_next(event, context)`. An exception that it raises counts as an exception of the handler. If it returns
        without calling `call_next`, the event is done.

        Raises:
            HandlersError: if it is not an async function, or if events are already being handled.

        """
        check_callable(function, ("event", "context", "call_next"))
        if not (is_async(function) or wraps_async(function) or is_lambda(function)):
            raise HandlersError(
                f"{described(function)} cannot be a middleware; write async def ...(event, context, call_next)."
            )
        self._check_in_time(described(function))
        self._middleware.append(function)
        return function

    def on_startup(self, function: HookFunction) -> HookFunction:
        """Run the decorated function, async or plain, in the event loop before the first event, in the order of registration.

        Its argument is the `State` of the registry, which handlers see as `context.state`. If it raises, the service stops.

        Raises:
            HandlersError: if it has a yield, or cannot take `state`.

        """
        self._declare(Phase.STARTUP, function)
        return function

    def on_shutdown(self, function: HookFunction) -> HookFunction:
        """Run the decorated function, async or plain, in the event loop after the last handler ended, in reverse order.

        Its argument is the `State` of the registry. Values are missing if start-up failed before they were set.

        Raises:
            HandlersError: if it has a yield, or cannot take `state`.

        """
        self._declare(Phase.SHUTDOWN, function)
        return function

    def lifespan(self, function: LifespanFunction) -> LifespanFunction:
        """Run the decorated `async def` up to its only `yield` at start-up, and the rest of it at shut-down.

        Its argument is the `State` of the registry. Lifespans and hooks start in the order of registration and stop in reverse
        order. Each lifespan runs in a task of its own, so it can keep a `TaskGroup` open. If it ends early, the service stops.

        Raises:
            HandlersError: if it has no yield, or cannot take `state`.

        """
        self._declare(Phase.LIFESPAN, function)
        return function

    def compose(self, handler: Handler, call: CallNext) -> CallNext:
        """Return `call`, which runs `handler`, with all middleware around it, or `call` itself if there is none."""
        self._composed = True
        return wrapped(call, (*self._middleware, *handler.middleware))

    def functions(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Return every registered handler, middleware and hook, with its name."""
        registered: list[Callable[..., Any]] = [*self._middleware, *(hook.function for hook in self.hooks)]
        for handler in self._table.handlers():
            registered += (handler.function, *handler.middleware)
        return ((name_of(function), function) for function in registered)

    def patterns(self, *, ignored: bool) -> list[str]:
        """Return the kinds and patterns that are handled, or that are ignored."""
        return self._table.patterns(ignored=ignored)

    def find(self, kind: str) -> Handler | None:
        """Return the handler of `kind`, or None if the kind is ignored.

        Raises:
            LookupError: if nothing is registered for the kind.

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
        repeated = next((one for one in (other, *other._included) if one is self or one in self._included), None)
        if repeated is not None:
            where = self._included.get(repeated) or other._included.get(repeated)
            raise HandlersError(f"{source} includes what was included already, at {where}. Include each registry once.")
        conflict = next((key for key in other.state if key in self.state and self.state[key] is not other.state[key]), None)
        if conflict is not None:
            raise HandlersError(f"{source}: both registries have a state[{conflict!r}]. Set it in one of them.")

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
    check_return_type(function, patterns)
