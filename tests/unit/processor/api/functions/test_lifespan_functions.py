"""Functions that open something, yield, and close it: up to the yield at start-up, the rest at shut-down."""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hookline import Handlers, State
from hookline.testing import started
from hookline_processor.api.lifespan import HookError, Lifespan
from tests.support.observability.logbook import Logbook

Steps = list[str]


@pytest.fixture
def steps() -> Steps:
    return []


def step_around(handlers: Handlers, steps: Steps, name: str) -> None:
    """Register a lifespan that notes when it opens and closes."""

    @handlers.lifespan
    async def note(state: State) -> AsyncIterator[None]:
        steps.append(f"{name} opened")
        try:
            yield
        finally:
            steps.append(f"{name} closed")


async def test_it_has_its_place_among_hooks(handlers: Handlers, lifespan: Lifespan, steps: Steps) -> None:
    """What is opened last is closed first, however it is declared."""
    step_around(handlers, steps, "first")
    handlers.on_startup(lambda _state: steps.append("hook started"))
    handlers.on_shutdown(lambda _state: steps.append("hook stopped"))
    step_around(handlers, steps, "last")
    await lifespan.start()
    assert steps == ["first opened", "hook started", "last opened"]
    steps.clear()
    await lifespan.stop()
    assert steps == ["last closed", "hook stopped", "first closed"]


class Opens:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def method(self, state: State) -> AsyncIterator[None]:
        self._steps.append("opened")
        yield
        self._steps.append("closed")

    __call__ = method


@pytest.mark.parametrize("guise", ["method", "object", "partial", "context manager"])
async def test_it_may_have_any_guise(handlers: Handlers, lifespan: Lifespan, steps: Steps, guise: str) -> None:
    """A method, a callable object, a partial, and what is an asynchronous context manager already."""

    async def of_two(steps: Steps, state: State) -> AsyncIterator[None]:
        async for _ in Opens(steps).method(state):
            yield

    @asynccontextmanager
    async def manager(state: State) -> AsyncIterator[None]:
        async for _ in Opens(steps).method(state):
            yield

    opens = Opens(steps)
    guises: dict[str, Any] = {
        "method": opens.method,
        "object": opens,
        "partial": functools.partial(of_two, steps),
        "context manager": manager,
    }
    handlers.lifespan(guises[guise])
    await lifespan.start()
    assert steps == ["opened"]
    await lifespan.stop()
    assert steps == ["opened", "closed"]


async def test_each_run_is_its_own(handlers: Handlers, steps: Steps) -> None:
    """As in tests, each of which starts the handlers anew."""
    step_around(handlers, steps, "pool")
    for _ in range(2):
        async with started(handlers):
            assert steps.pop() == "pool opened"
        assert steps.pop() == "pool closed"


async def fails(_state: State) -> AsyncIterator[None]:
    raise ConnectionError("no route\nto host")
    yield  # type: ignore[unreachable]


async def exits(_state: State) -> AsyncIterator[None]:
    raise SystemExit(3)
    yield  # type: ignore[unreachable]


async def cancels(_state: State) -> AsyncIterator[None]:
    raise asyncio.CancelledError
    yield  # type: ignore[unreachable]


async def never_yields(state: State) -> AsyncIterator[None]:
    if "nothing" in state:
        yield


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (fails, "failed with ConnectionError: no route to host"),
        (exits, "failed with SystemExit: 3"),
        (cancels, "failed with CancelledError: "),
        (never_yields, "ended without a yield"),
    ],
)
async def test_failure_before_its_yield_is_one_line(
    handlers: Handlers, lifespan: Lifespan, logbook: Logbook, steps: Steps, function: Any, what: str
) -> None:
    """The service stops with the name, the reason and the place; what was opened before is closed, and nothing else."""
    step_around(handlers, steps, "before")
    handlers.lifespan(function)
    step_around(handlers, steps, "after")
    with pytest.raises(HookError) as caught:
        await lifespan.start()
    message = str(caught.value)
    assert message.startswith(f"The lifespan {__name__}.{function.__name__} {what} ({__file__}, line ")
    assert message.endswith("), so no event was read. Fix that, then start again.")
    assert "\n" not in message
    assert lifespan.check() is not None
    await lifespan.stop()
    assert steps == ["before opened", "before closed"]
    assert [line for line in logbook.lines if line["level"] != "debug"] == []


async def yields_twice(_state: State) -> AsyncIterator[None]:
    yield
    yield


async def yields_for_ever(_state: State) -> AsyncIterator[None]:
    while True:
        try:
            yield
        except GeneratorExit:
            yield


async def fails_at_the_end(_state: State) -> AsyncIterator[None]:
    yield
    raise ConnectionError("no route")


async def exits_at_the_end(_state: State) -> AsyncIterator[None]:
    yield
    raise SystemExit(3)


async def interrupts_at_the_end(_state: State) -> AsyncIterator[None]:
    yield
    raise KeyboardInterrupt


async def closes_at_the_end(_state: State) -> AsyncIterator[None]:
    yield
    raise GeneratorExit


async def hangs(_state: State) -> AsyncIterator[None]:
    yield
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("function", "event", "error"),
    [
        (yields_twice, "lifespan failed", f"has a second yield ({__file__}, line "),
        (yields_for_ever, "lifespan failed", f"has a second yield ({__file__}, line "),
        (fails_at_the_end, "lifespan failed", "ConnectionError: no route"),
        (exits_at_the_end, "lifespan failed", "SystemExit: 3"),
        (interrupts_at_the_end, "lifespan failed", "KeyboardInterrupt: "),
        (closes_at_the_end, "lifespan failed", "GeneratorExit: "),
        (hangs, "lifespan takes too long, so it is cancelled", ""),
    ],
)
async def test_failure_behind_its_yield_is_logged(
    handlers: Handlers, lifespan: Lifespan, logbook: Logbook, steps: Steps, function: Any, event: str, error: str
) -> None:
    """One line says what is wrong, and all others are closed."""
    step_around(handlers, steps, "first")
    handlers.lifespan(function)
    step_around(handlers, steps, "last")
    await lifespan.start()
    steps.clear()
    await lifespan.stop()
    assert steps == ["last closed", "first closed"]
    # On a machine that stands still meanwhile, the others take too long, too.
    (line,) = [line for line in logbook.lines if line["hook"] == f"{__name__}.{function.__name__}"]
    assert line["event"] == event
    assert line.get("error", "").startswith(error)


async def test_cancelled_startup_closes_what_was_begun(handlers: Handlers, lifespan: Lifespan, steps: Steps) -> None:
    """A service that is stopped while a lifespan opens lets it clean up, once and to the end."""

    @handlers.lifespan
    async def slow(state: State) -> AsyncIterator[None]:
        try:
            await asyncio.Event().wait()
            yield
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    starting = asyncio.ensure_future(lifespan.start())
    for _ in range(3):
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await lifespan.stop()
    assert steps == ["cleaned up"]


async def test_it_may_hold_a_task_group_open(handlers: Handlers, lifespan: Lifespan, steps: Steps) -> None:
    """A group belongs to the task that opened it, and is closed by the same, wherever start and stop are called."""

    @handlers.lifespan
    async def background(state: State) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(asyncio.Event().wait())
            yield
            working.cancel()
        steps.append("group closed")

    await asyncio.create_task(lifespan.start())
    await asyncio.create_task(lifespan.stop())
    assert steps == ["group closed"]


async def test_death_of_its_task_stops_the_service(
    handlers: Handlers, lifespan: Lifespan, logbook: Logbook, steps: Steps
) -> None:
    """A background task of the user's that fails is not missed: the service stops with a line, and closes the others."""
    go_on = asyncio.Event()
    step_around(handlers, steps, "pool")

    async def work() -> None:
        await go_on.wait()
        raise ConnectionError("no route")

    @handlers.lifespan
    async def background(state: State) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            group.create_task(work())
            yield

    await lifespan.start()
    waiting = asyncio.ensure_future(lifespan.wait_failed())
    await asyncio.sleep(0)
    assert not waiting.done()
    go_on.set()
    with pytest.raises(HookError, match=r"background failed with ExceptionGroup: .* while events were handled, so the service"):
        await waiting
    await lifespan.stop()
    assert steps == ["pool opened", "pool closed"]
    assert logbook.lines == []
