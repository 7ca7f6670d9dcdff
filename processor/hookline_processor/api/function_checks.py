"""Checks at registration: whether a function takes the arguments and the events that it will get."""

import inspect
import sys
import types
import typing
from collections.abc import Awaitable, Callable, Collection, Iterator
from fnmatch import fnmatchcase
from types import NoneType
from typing import Annotated, Any, Final, TypeVar

from hookline_processor.api.errors import HandlersError
from hookline_processor.api.functions import described, innermost, is_decorated
from hookline_processor.replies.live_answer import Response
from hookline_processor.replies.message import Message, Reply
from hookline_shared.catalogue.kinds import kind_of
from hookline_shared.catalogue.products.messaging import MessageReceived
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.live import is_call, waits

SENDABLE: Final = (str, Reply, Message, list, tuple)
"""What a handler of messages may return, beside None and TwiML."""
_UNIONS: Final = (typing.Union, types.UnionType)


def check_callable(function: Callable[..., Any], parameters: Collection[str]) -> None:
    """Raise `HandlersError` unless `function` can be called with positional arguments for `parameters`."""
    wanted = f"({', '.join(parameters)})"
    if not callable(function):
        raise HandlersError(f"{described(function)} cannot be called; register a function that takes {wanted}.")
    if isinstance(function, type):
        raise HandlersError(f"{described(function)} is a class; register a function or a method that takes {wanted}.")
    signature = _signature(function, follow_wrapped=False)
    if signature is None:
        return
    try:
        signature.bind(*parameters)
    except TypeError:
        taken = list(signature.parameters)
        hint = " Register the bound method of an object." if taken[:1] == ["self"] else ""
        raise HandlersError(f"{described(function)} must take {wanted}, but takes ({', '.join(taken)}).{hint}") from None


def check_event_type(function: Callable[..., Any], kind: str, classes: Collection[type[WebhookEvent]]) -> None:
    """Raise `HandlersError` if the annotation of `function` excludes one of `classes`, the classes of events of `kind`.

    A function is not checked if it has no annotation, or one that cannot be resolved or is not a class.
    """
    accepted = _accepted(function)
    missing = [event for event in classes if not any(issubclass(event, one) for one in accepted)] if accepted else []
    if missing:
        names = " | ".join(one.__name__ for one in accepted)
        raise HandlersError(
            f'{described(function)} takes {names}, but "{kind}" comes as {" and ".join(one.__name__ for one in missing)}. '
            "Change the annotation, or what it is registered for."
        )


def check_return_type(function: Callable[..., Any], patterns: Collection[str]) -> None:
    """Raise `HandlersError` if the annotation of what `function` returns is nothing that can be sent for `patterns`.

    Annotations of functions around others are not checked, nor those that cannot be resolved, or are not classes.
    """
    signature = _signature(function, follow_wrapped=False)
    annotation = signature.return_annotation if signature is not None else inspect.Signature.empty
    if is_decorated(function) or annotation is inspect.Signature.empty:
        return
    members = [member for member in _returned(_resolved(annotation, function)) if _is_plain_class(member)]
    sendable = (NoneType, *(one for pattern in patterns for one in _sendable(pattern)))
    unfit = [member for member in members if member is not object and not _fits(member, sendable)]
    if unfit and members:
        raise HandlersError(
            f"{described(function)} returns {' | '.join(one.__name__ for one in unfit)}, which cannot be sent. A handler of "
            "MessageReceived returns None, str, Reply, a list of these, or TwiML; one of CallReceived returns None, TwiML or a "
            "Response; and one of other kinds None, or for a hook a Response."
        )


def _returned(annotation: Any) -> Iterator[Any]:
    """Yield the types in `annotation`, and those in its lists and tuples."""
    yield from _members(annotation)
    for one in typing.get_args(annotation) if typing.get_origin(annotation) in _UNIONS else (annotation,):
        if typing.get_origin(one) in (list, tuple):
            for inner in typing.get_args(one):
                yield from _returned(Any if inner is Ellipsis else inner)


def _sendable(pattern: str) -> tuple[type, ...]:
    """Return what a handler of `pattern` may return, beside None: for all of its kinds, if these differ."""
    if fnmatchcase(MessageReceived.kind, pattern):
        return (*SENDABLE, Response)
    kind = kind_of(pattern)
    if kind is None or not waits(kind):
        return ()
    return (str, Response) if is_call(kind.name) else (Response,)


def _fits(member: type, sendable: tuple[type, ...]) -> bool:
    """Whether a value of this class may be sent. TwiML is what has `to_xml`; a coroutine is awaited."""
    return issubclass(member, (*sendable, Awaitable)) or (str in sendable and hasattr(member, "to_xml"))


def _accepted(function: Callable[..., Any]) -> list[type]:
    """Return the classes that the annotation of the first parameter allows, or an empty list if it allows any.

    A decorator may convert the event, so the annotation of a wrapped function counts only if it names classes of events.
    Annotations of the decorator add nothing: `functools.wraps` replaces them by those of the wrapped function.
    """
    direct = _first_annotation(function, follow_wrapped=False)
    annotation = _first_annotation(function, follow_wrapped=True) if direct is inspect.Parameter.empty else direct
    members = list(_members(_resolved(annotation, function)))
    if not all(map(_is_plain_class, members)):
        return []
    if is_decorated(function) and not all(issubclass(member, WebhookEvent) for member in members):
        return []
    return members


def _is_plain_class(member: Any) -> bool:
    """Whether `issubclass` can be used with `member`. `Any` is a class as well since Python 3.11."""
    if not isinstance(member, type) or member is Any:
        return False
    return not getattr(member, "_is_protocol", False) and not typing.is_typeddict(member)


def _first_annotation(function: Callable[..., Any], *, follow_wrapped: bool) -> Any:
    signature = _signature(function, follow_wrapped=follow_wrapped)
    first = next(iter(signature.parameters.values()), None) if signature is not None else None
    return first.annotation if first is not None else inspect.Parameter.empty


def _resolved(annotation: Any, function: Callable[..., Any]) -> Any:
    """Return `annotation`, evaluated if it is a string; `Any` if there is none, or if it cannot be evaluated at run time."""
    if annotation is inspect.Parameter.empty:
        return Any

    def bearer() -> None: ...

    bearer.__annotations__ = {"event": annotation}
    try:
        return typing.get_type_hints(bearer, getattr(innermost(function), "__globals__", {}))["event"]
    except Exception:  # noqa: BLE001 - an annotation may be any expression, and fail in any way
        return Any


def _members(annotation: Any) -> Iterator[Any]:
    """Yield the types in `annotation`: the members of a union, the bound of a type variable, the value of an alias."""
    origin = typing.get_origin(annotation)
    if origin in _UNIONS:
        for member in typing.get_args(annotation):
            yield from _members(member)
    elif origin is Annotated:
        yield from _members(typing.get_args(annotation)[0])
    elif isinstance(annotation, TypeVar):
        yield from map(_any_if_none, annotation.__constraints__ or (annotation.__bound__,))
    elif (value := _alias_value(annotation)) is not None:
        yield from _members(value)
    else:
        yield annotation if origin is None else origin


def _alias_value(annotation: Any) -> Any:
    """Return what `type Alias = ...` stands for, `Any` if that cannot be evaluated, None if `annotation` is no alias."""
    try:
        return getattr(annotation, "__value__", None)
    except Exception:  # noqa: BLE001 - it is evaluated now, and may name what only type checkers import
        return Any


def _any_if_none(bound: Any) -> Any:
    return Any if bound is None else bound


def _signature(function: Callable[..., Any], *, follow_wrapped: bool) -> inspect.Signature | None:
    """Return the signature of `function`, or None if it has none, as some built-in functions."""
    try:
        if sys.version_info >= (3, 14):
            from annotationlib import Format  # noqa: PLC0415 - older versions have none

            return inspect.signature(function, follow_wrapped=follow_wrapped, annotation_format=Format.FORWARDREF)
        return inspect.signature(function, follow_wrapped=follow_wrapped)
    except (TypeError, ValueError):
        return None
