"""The threads that plain handler functions run in."""

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any


class Threads:
    """At most `limit` threads, started on demand."""

    def __init__(self, limit: int) -> None:
        self._pool = ThreadPoolExecutor(limit, thread_name_prefix="handler")
        self._busy: set[Future[Any]] = set()

    @property
    def busy(self) -> int:
        """The number of running functions. They cannot be stopped, and a normal exit of the interpreter waits for them."""
        return len(self._busy)

    def run(self, function: Callable[..., Any], *arguments: object) -> "asyncio.Future[Any]":
        """Call `function` in a thread with the context variables of the caller, and return a future for it."""
        running = self._pool.submit(copy_context().run, _call, function, *arguments)
        self._busy.add(running)
        running.add_done_callback(self._busy.discard)
        return asyncio.wrap_future(running)

    def close(self) -> None:
        """Start no more threads, and end the idle ones."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _call(function: Callable[..., Any], *arguments: object) -> None:
    """Call `function`, and check that it ran to its end.

    Raises:
        RuntimeError: if it returned a coroutine or generator, or raised StopIteration, which a future cannot store.

    """
    try:
        result = function(*arguments)
    except StopIteration as error:
        raise RuntimeError("a StopIteration escaped from the handler") from error
    if inspect.isawaitable(result) or inspect.isgenerator(result):
        close = getattr(result, "close", None)
        if close is not None:
            close()
        raise RuntimeError("the handler returned a coroutine or generator, which does not run; declare it async def")
