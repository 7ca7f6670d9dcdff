"""The threads that plain handler functions run in."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from hookline_processor.api.results import call_plain


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
        """Call `function` in a thread with the context variables of the caller, and return a future for its result."""
        running = self._pool.submit(copy_context().run, call_plain, function, *arguments)
        self._busy.add(running)
        running.add_done_callback(self._busy.discard)
        return asyncio.wrap_future(running)

    def close(self) -> None:
        """Start no more threads, and end the idle ones."""
        self._pool.shutdown(wait=False, cancel_futures=True)
