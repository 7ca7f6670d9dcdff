"""Running the event loop of a service to the end, whatever the code in it raises.

A task or callback that raises SystemExit or KeyboardInterrupt, such as a handler's task that calls `sys.exit`, stops the event
loop: asyncio treats these two as a wish to end the process. A service ends by signals, and everything in its loop must finish,
so the loop goes on. Whoever awaits such a task gets the exception as well, so for a handler it is a failed attempt. If
several are raised at the same time, the event loop names the last of them.
"""

import asyncio
import traceback
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

from hookline_shared.observability.logs import Logger

Result = TypeVar("Result")

_REMEDY = "raise an exception instead of ending the process; a task that nobody awaits fails without a retry"


def run_to_the_end(main: Coroutine[Any, Any, Result], logger: Logger) -> Result:
    """Run `main` in an event loop of its own until it ends, and return its result."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        task = loop.create_task(main, name="main")
        while not task.done():
            _run_until_interrupted(loop, task, logger)
        return task.result()


def _run_until_interrupted(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[Any]", logger: Logger) -> None:
    try:
        loop.run_until_complete(task)
    except (SystemExit, KeyboardInterrupt) as error:
        if task.done():
            raise
        frames = "".join(traceback.format_tb(error.__traceback__))  # without its text, which may quote an event
        logger.error(
            "a task or callback tried to end the process", error=type(error).__name__, traceback=frames, remedy=_REMEDY
        )
