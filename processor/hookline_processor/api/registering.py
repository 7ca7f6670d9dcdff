"""The types of `@handlers.on(...)`: what a type checker requires of the function below it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ParamSpec, Protocol, TypedDict, TypeVar, overload

from hookline_processor.api.context import Context
from hookline_processor.retry import RetryPolicy

P = ParamSpec("P")
Event_contra = TypeVar("Event_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)
Result = TypeVar("Result")

HandlerFunction = TypeVar("HandlerFunction", bound=Callable[[Any, Context], object])


class HandlerOptions(TypedDict, total=False):
    """The keyword arguments of `on`. `timeout` is a number of seconds or a timedelta."""

    timeout: float | timedelta | None
    retry: RetryPolicy | None
    breaker: str | None
    memory: bool


class TakesEvent(Protocol[Event_contra, P, Result_co]):
    """A function that takes the event and a context. The second overload keeps its own parameters and result."""

    @overload
    def __call__(self, event: Event_contra, context: Context, /) -> object: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result_co: ...


Event_co = TypeVar("Event_co", covariant=True)


class Register(Protocol[Event_co]):
    """A decorator for functions that take every event of the named classes."""

    def __call__(self, function: TakesEvent[Event_co, P, Result], /) -> Callable[P, Result]:
        """Register `function`, and return it unchanged."""
