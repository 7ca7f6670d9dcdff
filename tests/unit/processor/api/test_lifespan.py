"""The hooks around the handlers' life."""

import asyncio
from typing import Any

import pytest

from hookline import Handlers, HandlersError
from hookline_processor.api.lifespan import HookError, Lifespan
from tests.support.observability.logbook import Logbook

State = dict[str, Any]


async def test_hooks_run_in_order_and_in_reverse(handlers: Handlers, lifespan: Lifespan) -> None:
    """What is opened first is closed last; async and plain hooks share one state."""
    steps: list[str] = []

    @handlers.on_startup
    async def open_pool(state: State) -> None:
        await asyncio.sleep(0)
        state["pool"] = "pool"
        steps.append("pool opened")

    @handlers.on_shutdown
    async def close_pool(state: State) -> None:
        steps.append(f"{state['pool']} closed")

    @handlers.on_startup
    def open_client(state: State) -> None:
        steps.append(f"client opened with {state['pool']}")

    @handlers.on_shutdown
    def close_client(state: State) -> None:
        steps.append("client closed")

    await lifespan.start()
    await lifespan.stop()
    assert steps == ["pool opened", "client opened with pool", "client closed", "pool closed"]


async def test_check_tells_of_starting_up(handlers: Handlers, lifespan: Lifespan) -> None:
    """The processor is not ready while a hook runs."""
    go_on = asyncio.Event()

    @handlers.on_startup
    async def wait(state: State) -> None:
        await go_on.wait()

    starting = asyncio.ensure_future(lifespan.start())
    await asyncio.sleep(0)
    assert lifespan.check() == "handlers are starting up"
    go_on.set()
    await starting
    assert lifespan.check() is None


def exits(_state: State) -> None:
    raise SystemExit(3)


def fails(_state: State) -> None:
    raise ConnectionError("no route\nto host")


async def fails_in_a_library(_state: State) -> None:
    await asyncio.wait_for("nothing to wait for", 1)  # type: ignore[arg-type]


async def cancels(_state: State) -> None:
    raise asyncio.CancelledError


class OwnError(BaseException):
    """No Exception."""


class WordlessError(BaseException):
    """It cannot be written as text."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


def interrupts(_state: State) -> None:
    raise KeyboardInterrupt


async def closes(_state: State) -> None:
    raise GeneratorExit


async def raises_its_own(_state: State) -> None:
    raise OwnError("no route")


async def raises_a_group(_state: State) -> None:
    raise BaseExceptionGroup("two", [OwnError(), SystemExit()])


def raises_without_words(_state: State) -> None:
    raise WordlessError


@pytest.mark.parametrize(
    ("hook", "what"),
    [
        (exits, "SystemExit: 3"),
        (fails, "ConnectionError: no route to host"),
        (fails_in_a_library, "TypeError: An asyncio.Future, a coroutine or an awaitable is required"),
        (cancels, "CancelledError: "),
        (interrupts, "KeyboardInterrupt: "),
        (closes, "GeneratorExit: "),
        (raises_its_own, "OwnError: no route"),
        (raises_a_group, "BaseExceptionGroup: two (2 sub-exceptions)"),
        (raises_without_words, "WordlessError: <exception str() failed>"),
    ],
)
async def test_failed_startup_is_one_line(handlers: Handlers, lifespan: Lifespan, hook: Any, what: str) -> None:
    """The error names the hook, what it raised and where, in one line; later hooks are not run, but all shut-down hooks."""
    steps: list[str] = []
    handlers.on_startup(hook)
    handlers.on_startup(lambda _state: steps.append("later"))
    handlers.on_shutdown(lambda _state: steps.append("closed"))
    with pytest.raises(HookError) as caught:
        await lifespan.start()
    message = str(caught.value)
    assert f"The start-up hook {__name__}.{hook.__name__} failed with {what} ({__file__}, line " in message
    assert "\n" not in message
    assert lifespan.check() is not None
    await lifespan.stop()
    assert steps == ["closed"]


async def test_cancelled_startup_is_no_failure(handlers: Handlers, lifespan: Lifespan) -> None:
    """A service that is stopped while a hook runs stops as asked."""

    @handlers.on_startup
    async def hang(state: State) -> None:
        await asyncio.Event().wait()

    starting = asyncio.ensure_future(lifespan.start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting


async def test_failing_shutdown_hook_does_not_keep_others_from_running(
    handlers: Handlers, lifespan: Lifespan, logbook: Logbook
) -> None:
    """Each shut-down hook has its turn, whether the others raise or hang; what is wrong is logged."""
    steps: list[str] = []

    @handlers.on_shutdown
    async def last(state: State) -> None:
        steps.append("last")

    @handlers.on_shutdown
    async def hang(state: State) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("cancelled")

    handlers.on_shutdown(fails)
    handlers.on_shutdown(exits)
    await lifespan.start()
    await lifespan.stop()
    assert steps == ["cancelled", "last"]
    assert [(line["event"], line["hook"].rpartition(".")[2]) for line in logbook.lines] == [
        ("shut-down hook failed", "exits"),
        ("shut-down hook failed", "fails"),
        ("shut-down hook takes too long, so it is cancelled", "hang"),
    ]


async def test_shutdown_without_startup_does_nothing(handlers: Handlers, lifespan: Lifespan) -> None:
    """A service that could not open its port has nothing to close."""
    handlers.on_shutdown(fails)
    await lifespan.stop()


def opens_and_closes(state: State) -> Any:
    yield


def test_generator_is_no_hook(handlers: Handlers) -> None:
    """Its body would never run."""
    with pytest.raises(HandlersError, match=r"it has a yield; write a function without one, or @handlers.lifespan"):
        handlers.on_startup(opens_and_closes)


@pytest.mark.parametrize("hook", [exits, cancels, interrupts, closes, raises_its_own, raises_a_group, raises_without_words])
async def test_whatever_a_shutdown_hook_raises_the_others_run(
    handlers: Handlers, lifespan: Lifespan, logbook: Logbook, hook: Any
) -> None:
    """One line names the hook, and those before and after it run."""
    steps: list[str] = []
    handlers.on_shutdown(lambda _state: steps.append("first registered"))
    handlers.on_shutdown(hook)
    handlers.on_shutdown(lambda _state: steps.append("last registered"))
    await lifespan.start()
    await lifespan.stop()
    assert steps == ["last registered", "first registered"]
    assert [(line["event"], line["hook"]) for line in logbook.lines] == [
        ("shut-down hook failed", f"{__name__}.{hook.__name__}")
    ]
