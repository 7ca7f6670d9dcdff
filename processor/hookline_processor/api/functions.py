"""Name, place and kind of a registered function: decorated, a `partial`, a method or a callable object."""

import inspect
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

_PACKAGE: Final = str(Path(__file__).parent)


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of `function` for logs, with its module."""
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{getattr(function, '__module__', '?')}.{name}"


def place_of(function: Callable[..., Any]) -> str:
    """Return the file and line of `function`, or of the user's call that registers it if it is not written in Python."""
    code = code_of(function)
    return f"{code.co_filename}, line {code.co_firstlineno}" if code is not None else calling_place()


def described(function: Callable[..., Any]) -> str:
    """Return the name of `function` with its file and line."""
    return f"{name_of(function)} ({place_of(function)})"


def calling_place() -> str:
    """Return the file and line of the user's code that called this package."""
    frame: FrameType = sys._getframe()  # what `inspect.currentframe` returns, without its None
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}"


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling `function` returns a coroutine: it is an `async def`, or passes on the coroutine of one it decorates."""
    return any(map(inspect.iscoroutinefunction, (_routine(function), innermost(function))))


def is_async_generator(function: Callable[..., Any]) -> bool:
    """Whether `function` is an `async def` with a yield, or an async context manager made from one."""
    return inspect.isasyncgenfunction(innermost(function))


def has_yield(function: Callable[..., Any]) -> bool:
    """Whether `function` is a generator function, whose body does not run when it is called."""
    target = innermost(function)
    return inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Return the code object of `function`, or None if it is not written in Python."""
    code = getattr(innermost(function), "__code__", None)
    return code if isinstance(code, CodeType) else None


def is_decorated(function: Callable[..., Any]) -> bool:
    """Whether `function` keeps another one as `__wrapped__`, whose name and annotations it then has as well."""
    return innermost(function) is not _routine(function)


def innermost(function: Callable[..., Any]) -> Any:
    """Return `function` without `partial` and without decorators that set `__wrapped__`."""
    target: Any = inspect.unwrap(function)
    while isinstance(target, partial):
        target = inspect.unwrap(target.func)
    return _routine(target)


def _routine(function: Callable[..., Any]) -> Any:
    """Return what is called for `function`: itself, what a `partial` is of, or the method of a callable object."""
    while isinstance(function, partial):
        function = function.func
    return function if inspect.isroutine(function) else getattr(type(function), "__call__", None)  # noqa: B004 - it is read, not tested
