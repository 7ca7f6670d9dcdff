"""The types of `@handlers.on(...)`, what a type checker requires of the function below it; and its options as they are kept."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, ParamSpec, Protocol, TypedDict, TypeVar, overload

from hookline_processor.api.context import Context
from hookline_processor.api.errors import HandlersError
from hookline_processor.api.functions import calling_place
from hookline_processor.api.table import BurstPolicy
from hookline_processor.replies.message import Message, Reply
from hookline_processor.retry_policy import RetryPolicy, is_time_span, seconds
from hookline_shared.catalogue.products.messaging import MessageReceived

P = ParamSpec("P")
Event_contra = TypeVar("Event_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)
Result = TypeVar("Result")

HandlerFunction = TypeVar("HandlerFunction", bound=Callable[[Any, Context], object])


class HandlerOptions(TypedDict, total=False):
    """The keyword arguments of `on`. `timeout`, `burst_s` and `burst_limit_s` are numbers of seconds or timedeltas."""

    timeout: float | timedelta | None
    retry: RetryPolicy | None
    breaker: str | None
    memory: bool
    burst_s: float | timedelta | None
    burst_limit_s: float | timedelta


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


class MessageTwiML(Protocol):
    """TwiML as an object, such as `MessagingResponse` of the package twilio."""

    def to_xml(self) -> str:
        """Return the TwiML."""


_Part = str | Reply | Message | MessageTwiML | None
MessageAnswer = _Part | Sequence[_Part]
"""What a handler of messages may return. A bool, a number or a dict is nothing that can be sent."""


class AnswersMessage(Protocol[P, Result_co]):
    """A function that takes a message and a context, and returns what can be sent."""

    @overload
    def __call__(self, event: MessageReceived, context: Context, /) -> MessageAnswer | Awaitable[MessageAnswer]: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result_co: ...


class RegisterForMessages(Protocol):
    """A decorator for functions that answer messages."""

    def __call__(self, function: AnswersMessage[P, Result], /) -> Callable[P, Result]:
        """Register `function`, and return it unchanged."""


def timeout_s_of(timeout: float | timedelta | None) -> float | None:
    """Return `timeout` in seconds. Raise `HandlersError` unless it is above 0 and finite."""
    if timeout is None:
        return None
    if not is_time_span(timeout):
        raise HandlersError(
            f"timeout={timeout!r} is no time-out ({calling_place()}). Give seconds or a timedelta above 0, or leave it out."
        )
    return seconds(timeout)


def burst_policy_of(quiet: float | timedelta | None, limit: float | timedelta) -> BurstPolicy | None:
    """Return how events are gathered. Raise `HandlersError` unless both times are above 0, and `limit` is not below `quiet`."""
    if quiet is None:
        return None
    if not is_time_span(quiet) or not is_time_span(limit) or seconds(limit) < seconds(quiet):
        raise HandlersError(
            f"burst_s={quiet!r} with burst_limit_s={limit!r} gathers nothing ({calling_place()}). Give seconds or timedeltas "
            "above 0, and a limit that is not below burst_s."
        )
    return BurstPolicy(seconds(quiet), seconds(limit))
