"""Name, place and kind of a registered function: decorated, a `partial`, a method or a callable object."""

import asyncio
import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

_PACKAGE: Final = str(Path(__file__).parent)


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of `function` for logs, with its module."""
    target = _without_partial(function)
    name = getattr(target, "__qualname__", None) or type(target).__qualname__
    return f"{getattr(target, '__module__', '?')}.{name}"


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
    """Whether `function` itself is an `async def`, whatever it wraps, or says so of itself, as an `AsyncMock` does."""
    outer = _without_partial(function)
    return inspect.iscoroutinefunction(_routine(outer)) or _is_marked_async(outer)


def wraps_async(function: Callable[..., Any]) -> bool:
    """Whether `function` is plain and decorates an async one: it may return a coroutine, or run it to its end."""
    return not is_async(function) and any(map(is_async, _layers(function)))


def is_lambda(function: Callable[..., Any]) -> bool:
    """Whether `function` is a lambda expression, which cannot be written as an `async def`."""
    return getattr(_without_partial(function), "__name__", "") == "<lambda>"


def is_async_generator(function: Callable[..., Any]) -> bool:
    """Whether `function` is an `async def` with a yield, an async context manager made from one, or passes it on."""
    outer = _routine(function)
    return inspect.isasyncgenfunction(outer) or (not is_async(function) and inspect.isasyncgenfunction(innermost(function)))


def has_yield(function: Callable[..., Any]) -> bool:
    """Whether `function` itself is a generator or a context manager made from one: its body does not run when it is called."""
    outer, inner = _routine(function), innermost(function)
    return _is_generator(outer) or (_is_generator(inner) and _is_of_contextlib(outer))


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Return the code object of `function`, or None if it is not written in Python."""
    code = getattr(innermost(function), "__code__", None)
    return code if isinstance(code, CodeType) else None


def is_decorated(function: Callable[..., Any]) -> bool:
    """Whether `function` keeps another one as `__wrapped__`, whose name and annotations it then has as well."""
    return innermost(function) is not _routine(function)


def innermost(function: Callable[..., Any]) -> Any:
    """Return `function` without `partial` and without decorators that set `__wrapped__`."""
    *_, inner = _layers(function)
    return _routine(inner)


def _routine(function: Callable[..., Any]) -> Any:
    """Return what is called for `function`: itself, what a `partial` is of, or the method of a callable object."""
    target = _without_partial(function)
    return target if inspect.isroutine(target) else getattr(type(target), "__call__", None)  # noqa: B004 - it is read, not tested


def _layers(function: Callable[..., Any]) -> Iterator[Any]:
    """Yield `function`, and what it wraps, from the outermost to the innermost."""
    seen: set[int] = set()
    layer: Any = function
    yield layer
    while (layer := layer.func if isinstance(layer, partial) else _wrapped_by(layer)) is not None and id(layer) not in seen:
        yield layer
        seen.add(id(layer))


def _wrapped_by(layer: Any) -> Any:
    return inspect.getattr_static(layer, "__wrapped__", None) or getattr(_routine(layer), "__wrapped__", None)


def _without_partial(function: Callable[..., Any]) -> Any:
    while isinstance(function, partial):
        function = function.func
    return function


def _is_marked_async(function: Any) -> bool:
    """Whether `function` is marked as async, as mocks are, and adapters of some libraries."""
    mark = getattr(asyncio.coroutines, "_is_coroutine", None)
    return inspect.iscoroutinefunction(function) or (mark is not None and getattr(function, "_is_coroutine", None) is mark)


def _is_generator(function: Any) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _is_of_contextlib(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return isinstance(code, CodeType) and code.co_filename == contextlib.__file__
