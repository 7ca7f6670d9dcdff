"""What can be told of a function that a user registers, in whatever guise: decorated, a `partial`, or a callable object."""

import inspect
from collections.abc import Callable
from functools import partial
from types import CodeType
from typing import Any


def name_of(function: Callable[..., Any]) -> str:
    """Give a name for logs: the module and the function's own."""
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{getattr(function, '__module__', '?')}.{name}"


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calling `function` gives a coroutine."""
    return inspect.iscoroutinefunction(_innermost(function))


def has_yield(function: Callable[..., Any]) -> bool:
    """Tell whether `function` is a generator, whose body does not run when it is called."""
    target = _innermost(function)
    return inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Give the code that runs when `function` is called, None if it is not Python's."""
    code = getattr(_innermost(function), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _innermost(function: Callable[..., Any]) -> Any:
    target: Any = inspect.unwrap(function)
    while isinstance(target, partial):
        target = inspect.unwrap(target.func)
    return target if inspect.isroutine(target) else type(target).__call__
