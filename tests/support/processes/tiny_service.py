"""A service that fails in the way that its argument names: `python -m tests.support.processes.tiny_service <class>`."""

import asyncio
import sys
from contextlib import AsyncExitStack

from hookline_shared.clock import SystemClock
from hookline_shared.errors import HooklineError
from hookline_shared.lifecycle.service import Supervisor, run
from hookline_shared.observability.logs import configure_logs, get_logger
from hookline_shared.observability.standard_streams import protect_output

logger = get_logger("tiny")


class Tiny:
    """Starts, has one background task, and stops."""

    async def start(self, supervisor: Supervisor, stopping: AsyncExitStack) -> None:
        """Start the task, and say so as services do."""
        stopping.callback(logger.info, "closing")
        stopping.push_async_callback(self.stop)
        await self.begin(supervisor)

    async def begin(self, supervisor: Supervisor) -> None:
        """Start the task."""
        await supervisor.spawn("idle", asyncio.Event().wait())  # type: ignore[arg-type]
        logger.info("listening", admin_port=0)

    async def stop(self) -> None:
        """Say that everything is being finished."""
        logger.info("finishing")


class FailingTask(Tiny):
    """Its task raises an unexpected error."""

    async def begin(self, supervisor: Supervisor) -> None:
        await supervisor.spawn("doomed", _fail(RuntimeError("something unforeseen")))


class ExplainedFailure(Tiny):
    """Its task raises one of Hookline's own errors."""

    async def begin(self, supervisor: Supervisor) -> None:
        await supervisor.spawn("doomed", _fail(HooklineError("The data is laid out otherwise. Do this.")))


class EndingTask(Tiny):
    """Its task ends, which is a failure, too."""

    async def begin(self, supervisor: Supervisor) -> None:
        await supervisor.spawn("doomed", asyncio.sleep(0))


class CancelledInside(Tiny):
    """Its task ends because something inside it was cancelled."""

    async def begin(self, supervisor: Supervisor) -> None:
        await supervisor.spawn("doomed", _fail(asyncio.CancelledError()))


class ExitingTask(Tiny):
    """Its task wants to end the process."""

    async def begin(self, supervisor: Supervisor) -> None:
        await supervisor.spawn("doomed", _fail(SystemExit(7)))


class ExitingCallback(Tiny):
    """A callback and a task that is not its own want to end the process."""

    async def begin(self, supervisor: Supervisor) -> None:
        asyncio.get_running_loop().call_soon(sys.exit, 7)
        await asyncio.sleep(0.01)
        task = asyncio.create_task(_fail(KeyboardInterrupt()))
        await asyncio.wait({task})
        task.exception()
        await super().begin(supervisor)


class RefusingToStart(Tiny):
    """Cannot start, for a reason that has a remedy."""

    async def begin(self, supervisor: Supervisor) -> None:
        raise HooklineError("Port 1 is taken. Choose another.")


class Stuck(Tiny):
    """Never finishes stopping."""

    async def stop(self) -> None:
        logger.info("finishing")
        await asyncio.Event().wait()


class FailingStop(Tiny):
    """Cannot finish."""

    async def stop(self) -> None:
        raise RuntimeError("something unforeseen")


async def _fail(error: BaseException) -> None:
    raise error


SERVICES: tuple[type[Tiny], ...] = (
    Tiny,
    FailingTask,
    ExplainedFailure,
    EndingTask,
    CancelledInside,
    ExitingTask,
    ExitingCallback,
    RefusingToStart,
    Stuck,
    FailingStop,
)


if __name__ == "__main__":
    protect_output()
    configure_logs("info", "json")
    sys.exit(run({service.__name__: service for service in SERVICES}[sys.argv[1]], SystemClock(), logger))
