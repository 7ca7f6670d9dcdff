"""What plain functions return. A plain function around an async one may return its coroutine, or run it to its end.

Nobody can tell which before the first call. A function that runs it needs a thread without an event loop (`asyncio.run`), and
would block the loop. So it is called in a thread, and what it returns is awaited in the loop. If it needs the loop itself, as
`asyncio.gather` does, it fails before it has begun the coroutine, and is called again in the loop.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

from hookline_shared.system.forked import end_if_forked

_WITHOUT_LOOP: Final = ("no running event loop", "There is no current event loop")
"""How asyncio begins to say that a function was called outside of the event loop."""

_ADVICE: Final = "A plain function runs in a thread, which has no event loop: declare it async def."


def call_plain(function: Callable[..., object], *arguments: object) -> object:
    """Call `function`, and return its result. A process that it forked ends with it.

    Raises:
        RuntimeError: if it raised StopIteration, which a future cannot store.

    """
    try:
        result = function(*arguments)
    except StopIteration as error:
        end_if_forked(error)
        raise RuntimeError("a StopIteration escaped from the function") from error
    except BaseException as error:
        end_if_forked(error)
        raise
    end_if_forked()
    return result


def awaitable_of(result: object) -> Awaitable[object] | None:
    """Return `result` if it is to be awaited, otherwise None: it is the result.

    Raises:
        RuntimeError: if it is a generator, whose code would never run.

    """
    if result is None:
        return None
    if inspect.isawaitable(result):
        return result
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        close_unused(result)
        raise RuntimeError("the function returned a generator, whose code does not run; take the yield out of it")
    return None


async def finish(awaitable: Awaitable[object]) -> object:
    """Await `awaitable`, and the coroutine that it returns if an await was forgotten in it: it would never run.

    Return the result.
    """
    result = await awaitable
    while inspect.iscoroutine(result):
        result = await result
    return result


def close_unused(result: Any) -> None:
    """Close a coroutine or generator that is not going to run."""
    close = getattr(result, "close", None)
    if close is not None and not inspect.isasyncgen(result):
        close()


def advise(error: BaseException) -> None:
    """Add to `error`, of a function that must be called in the event loop, what to do."""
    error.add_note(_ADVICE)


def needs_event_loop(error: BaseException) -> bool:
    """Whether `error` says that the function must be called in the event loop."""
    return isinstance(error, RuntimeError) and str(error).startswith(_WITHOUT_LOOP)
