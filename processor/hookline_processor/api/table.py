"""The table of handlers by kind. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from hookline_processor.api.context import Middleware
from hookline_processor.api.errors import HandlersError
from hookline_processor.api.patterns import patterns_for
from hookline_processor.retry_policy import RetryPolicy


class BurstPolicy(NamedTuple):
    """How long events are gathered to be handled as one: `quiet_s` seconds after the last one, `limit_s` after the first."""

    quiet_s: float
    limit_s: float


@dataclass(frozen=True, eq=False)
class Handler:
    """One registered function. `timeout_s` (seconds) and `retry` are None where the settings of the service apply.

    A plain function that `wraps_async` may return a coroutine.

    `middleware` is the middleware of the included registries that it comes from, the outermost first.
    """

    name: str
    function: Callable[..., Any]
    timeout_s: float | None
    retry: RetryPolicy | None
    is_async: bool
    wraps_async: bool = False
    breaker: str | None = None
    middleware: tuple[Middleware, ...] = ()
    memory: bool = False
    """Whether it gets what is remembered of the conversation."""
    burst: BurstPolicy | None = None


class Registration(NamedTuple):
    """The registration of a kind. `handler` is None if the kind is ignored; `source` is its name with file and line."""

    handler: Handler | None
    source: str


class HandlerTable:
    """The entry of each pattern: a kind, a prefix such as "conversation.*", or "*"."""

    def __init__(self) -> None:
        self._registrations: dict[str, Registration] = {}

    def add(self, patterns: Iterable[str], registration: Registration) -> None:
        """Register `registration` for all of `patterns`.

        Raises:
            HandlersError: if a pattern already has an entry. Nothing is registered in that case.

        """
        self._add_all(dict.fromkeys(patterns, registration))

    def include(self, other: "HandlerTable", middleware: Iterable[Middleware]) -> None:
        """Register everything in `other`, with `middleware` around its handlers.

        Raises:
            HandlersError: if both tables have an entry for a pattern. Nothing is registered in that case.

        """
        outer = tuple(middleware)
        handlers = {handler: replace(handler, middleware=outer + handler.middleware) for handler in other.handlers()}
        self._add_all(
            {
                pattern: registration._replace(handler=registration.handler and handlers[registration.handler])
                for pattern, registration in other._registrations.items()
            }
        )

    def find(self, kind: str) -> Handler | None:
        """Return the handler of `kind`, or None if the kind is ignored.

        Raises:
            LookupError: if nothing is registered for the kind.

        """
        for pattern in patterns_for(kind):
            if pattern in self._registrations:
                return self._registrations[pattern].handler
        raise LookupError(
            f'No handler is registered for "{kind}". Add one with @handlers.on("{kind}") and replay this dead letter, '
            f'or say handlers.ignore("{kind}").'
        )

    def patterns(self, *, ignored: bool) -> list[str]:
        """Return every pattern that is handled, or that is ignored."""
        return [pattern for pattern, found in self._registrations.items() if (found.handler is None) is ignored]

    def handlers(self) -> Iterator[Handler]:
        """Return every handler, once for each of its kinds."""
        return (registration.handler for registration in self._registrations.values() if registration.handler is not None)

    def _add_all(self, registrations: dict[str, Registration]) -> None:
        for pattern, registration in registrations.items():
            if pattern in self._registrations:
                raise HandlersError(
                    f'"{pattern}" is registered twice: by {self._registrations[pattern].source} and by {registration.source}. '
                    "An event has exactly one handler; remove one of the two."
                )
        self._registrations.update(registrations)
