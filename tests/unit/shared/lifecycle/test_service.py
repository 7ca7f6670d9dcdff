"""The life of a service: exit codes, signals, and what happens if a part of it dies."""

import asyncio
import inspect
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hookline_shared.errors import HooklineError, TaskDiedError
from hookline_shared.lifecycle.service import EXIT_FAILED, EXIT_OK, Supervisor
from tests.support.observability.logbook import Logbook
from tests.support.processes.service_process import ServiceProcess

Run = Callable[[str], Awaitable[ServiceProcess]]


@pytest.fixture
async def tiny(tmp_path: Path) -> AsyncIterator[Run]:
    """Yield a starter of tiny services; see tests.support.processes.tiny_service for what each does."""
    made: list[ServiceProcess] = []

    async def launch(name: str) -> ServiceProcess:
        made.append(ServiceProcess(["-m", "tests.support.processes.tiny_service", name], (), {}, tmp_path))
        return await made[-1].launch()

    yield launch
    for process in made:
        await process.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_stops_it_in_order(tiny: Run, number: signal.Signals) -> None:
    """SIGTERM, and Ctrl-C, let the service finish what it has, and the exit code says that all is well."""
    process = await tiny("Tiny")
    await process.logged("listening")
    process.signal(number)
    assert await process.ended() == EXIT_OK
    events = [line["event"] for line in process.logs]
    assert events == ["listening", "stopping", "finishing", "closing", "stopped"]
    assert process.logs[1]["reason"] == number.name
    assert process.logs[-1]["at_once"] is False


async def test_second_signal_stops_it_at_once(tiny: Run) -> None:
    """Whoever has no patience sends the signal again."""
    process = await tiny("Stuck")
    await process.logged("listening")
    process.terminate()
    await process.logged("finishing")
    process.terminate()
    assert await process.ended() == EXIT_OK
    assert process.logs[-1]["at_once"] is True
    assert "closing" not in [line["event"] for line in process.logs]


async def test_failing_step_does_not_keep_others_from_stopping(tiny: Run) -> None:
    """A part that fails to stop is reported, and the parts that started before it are still closed."""
    process = await tiny("FailingStop")
    await process.logged("listening")
    process.terminate()
    assert await process.ended() == EXIT_OK
    assert [line["event"] for line in process.logs] == ["listening", "stopping", "closing", "stopping failed", "stopped"]


async def test_start_that_fails_closes_what_it_opened(tiny: Run) -> None:
    """What was started before the failure is stopped like after a signal."""
    process = await tiny("RefusingToStart")
    assert await process.ended() == EXIT_FAILED
    assert [line["event"] for line in process.logs] == ["finishing", "closing", "stopped"]


async def test_nothing_in_the_loop_ends_the_process(tiny: Run) -> None:
    """What a library's callback or task raises to end the process is reported, and a signal ends it in order."""
    process = await tiny("ExitingCallback")
    await process.logged("listening")
    process.terminate()
    assert await process.ended() == EXIT_OK
    lines = [(line["event"], line.get("error")) for line in process.logs]
    assert sorted(lines[:2]) == [
        ("a task or callback tried to end the process", "KeyboardInterrupt"),
        ("a task or callback tried to end the process", "SystemExit"),
    ]
    assert [event for event, _ in lines[2:]] == ["listening", "stopping", "finishing", "closing", "stopped"]


@pytest.mark.parametrize("service", ["FailingTask", "EndingTask", "CancelledInside", "ExitingTask"])
async def test_death_of_a_task_stops_the_service(tiny: Run, service: str) -> None:
    """A service never runs on with a dead part: it finishes, fails, and says which task died."""
    process = await tiny(service)
    assert await process.ended() == EXIT_FAILED
    events = [line["event"] for line in process.logs if line["event"] != "task died"]
    assert events == ["stopping", "finishing", "closing", "stopped"]
    assert process.logs[-1]["error"] == str(TaskDiedError("doomed"))


async def test_unforeseen_error_of_a_task_is_logged_with_its_traceback(tiny: Run) -> None:
    """An error that is a bug leaves what is needed to find it."""
    process = await tiny("FailingTask")
    await process.ended()
    (line,) = [line for line in process.logs if line["event"] == "task died"]
    assert line["task"] == "doomed"
    assert "RuntimeError: something unforeseen" in line["exception"]


@pytest.mark.parametrize(("service", "message"), [("ExplainedFailure", "Do this."), ("RefusingToStart", "Choose another.")])
async def test_explained_error_is_one_line(tiny: Run, service: str, message: str) -> None:
    """An error that has a remedy is printed as one line, without a traceback."""
    process = await tiny(service)
    assert await process.ended() == EXIT_FAILED
    assert process.logs[-1]["error"].endswith(message)
    assert "Traceback" not in process.errors
    assert len(process.logs) == len(process.stderr)


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(Logbook().logger)
    yield supervisor
    await supervisor.close()


async def forever() -> None:
    await asyncio.Event().wait()


async def broken() -> None:
    raise HooklineError("broken")


async def test_closed_task_is_no_failure(supervisor: Supervisor) -> None:
    """The part that spawned a task may end it; that is how services stop."""
    job = await supervisor.spawn("forever", forever())
    await asyncio.sleep(0)
    await job.close()
    assert supervisor.failure is None
    assert supervisor.check_tasks() is None


async def test_task_closed_before_it_began_leaves_nothing_behind(supervisor: Supervisor) -> None:
    """A start that fails right after a task was spawned ends without a warning about that task."""
    work = forever()
    job = await supervisor.spawn("forever", work)
    await job.close()
    state = inspect.getcoroutinestate(work)
    work.close()  # whatever the outcome: a warning would strike some later test
    assert state == inspect.CORO_CLOSED
    assert supervisor.failure is None


async def test_first_failure_is_kept(supervisor: Supervisor) -> None:
    """The first task that died is the cause; what falls over after it is not."""
    await supervisor.spawn("first", broken())
    await supervisor.wait_failed()
    second = await supervisor.spawn("second", broken())
    await second.wait()
    assert supervisor.check_tasks() == "broken"


async def test_close_ends_what_is_left(supervisor: Supervisor) -> None:
    """No task outlives its service, and ending them all is not a failure."""
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await forever()
        finally:
            ended.set()

    await supervisor.spawn("work", work())
    await asyncio.sleep(0)
    await supervisor.close()
    assert ended.is_set()
    assert supervisor.failure is None
