"""Who keeps the event loop from turning."""

import asyncio
import functools
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

import pytest
import structlog
import uvloop
from prometheus_client import REGISTRY

from hookline import CallNext, Context, Handlers, MessageReceived, WebhookEvent
from hookline_processor.attempts.watchdog import Watchdog, find_blocking_handler, is_blocked
from tests.support.observability.logbook import Logbook
from tests.support.waiting import PATIENCE_S, until_now

LIMIT_S = 0.02


class WatchedHandlers:
    """Handlers under a watchdog. `block` blocks its caller until a line was logged."""

    def __init__(self) -> None:
        self.handlers = Handlers()
        self.logbook = Logbook()
        self.watchdog = Watchdog(self.handlers, self.logbook.logger, LIMIT_S)

    def block(self) -> None:
        before, deadline = len(self.logbook.lines), time.monotonic() + PATIENCE_S
        while len(self.logbook.lines) == before and time.monotonic() < deadline:
            time.sleep(0.001)

    rest = staticmethod(time.sleep)

    def watched(self, work: Callable[[], Any]) -> list[Any]:
        """Run `work()` in an event loop that is watched; return what was logged."""

        async def run() -> None:
            self.watchdog.start()
            await work()
            self.watchdog.stop()

        self.run(run())
        return self.logbook.lines

    run = staticmethod(asyncio.run)


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def handlers_under_watch(request: pytest.FixtureRequest) -> Iterator[WatchedHandlers]:
    made = WatchedHandlers()
    made.run = request.param
    yield made
    assert "watchdog" not in [thread.name for thread in threading.enumerate()]


def test_handler_is_named_while_it_blocks(handlers_under_watch: WatchedHandlers) -> None:
    """The line comes during the block, once, with handler, stack and remedy; without a value that the handler holds."""

    @handlers_under_watch.handlers.on("message.received")
    async def slow(event: Any, context: Any) -> None:
        secret = "+14155550123"
        await deeper(secret)

    async def deeper(_number: str) -> None:
        handlers_under_watch.block()
        assert [line["event"] for line in handlers_under_watch.logbook.lines] == ["event loop blocked"]
        handlers_under_watch.rest(5 * LIMIT_S)

    before = blocked(slow)
    (line,) = handlers_under_watch.watched(lambda: slow(None, None))
    assert line["handler"] == f"{__name__}.{slow.__qualname__}"
    assert line["blocked_s"] >= 0
    assert [re.sub(r".*/|:\d+", "", place) for place in line["frames"][:2]] == [
        "test_watchdog.py test_handler_is_named_while_it_blocks.<locals>.slow",
        "test_watchdog.py test_handler_is_named_while_it_blocks.<locals>.deeper",
    ]
    assert "plain def" in line["remedy"]
    assert "+1415" not in str(line)
    assert blocked(slow) == before + 1


def test_line_can_be_shown_to_people(handlers_under_watch: WatchedHandlers) -> None:
    """On a terminal, too: structlog means something else by a field named `stack`, and the watchdog would end with an error."""

    @handlers_under_watch.handlers.on("message.received")
    async def slow(event: Any, context: Any) -> None:
        handlers_under_watch.block()

    (line,) = handlers_under_watch.watched(lambda: slow(None, None))
    shown = structlog.dev.ConsoleRenderer(colors=False)(None, "warning", {"level": "warning", **line})
    assert slow.__qualname__ in shown
    assert "remedy=" in shown


def blocked(function: Callable[..., object]) -> float:
    label = f"{__name__}.{function.__qualname__}"
    return REGISTRY.get_sample_value("hookline_handler_blocked_loop_total", {"handler": label}) or 0


def test_each_block_is_reported(handlers_under_watch: WatchedHandlers) -> None:
    """A handler that blocks again is named again."""

    @handlers_under_watch.handlers.on("message.received")
    async def slow(event: Any, context: Any) -> None:
        handlers_under_watch.block()
        await asyncio.sleep(LIMIT_S)
        handlers_under_watch.block()

    assert len(handlers_under_watch.watched(lambda: slow(None, None))) == 2


def test_handler_that_holds_the_lock_is_named(handlers_under_watch: WatchedHandlers) -> None:
    """A call that lets no thread run, the watchdog's neither, is found as soon as it ends."""

    @handlers_under_watch.handlers.on("message.received")
    async def count(event: Any, context: Any) -> None:
        rounds = 1_000_000
        while not handlers_under_watch.logbook.lines:
            sum(range(rounds))
            rounds *= 2

    (line,) = handlers_under_watch.watched(lambda: count(None, None))
    assert line["handler"].endswith("count")


def test_middleware_and_hooks_are_named(handlers_under_watch: WatchedHandlers) -> None:
    """Whatever the user registers can block, and is found."""

    @handlers_under_watch.handlers.middleware
    async def around(event: WebhookEvent, context: Context, call_next: CallNext) -> None:
        handlers_under_watch.block()

    @handlers_under_watch.handlers.on_startup
    async def warm_up(state: dict[str, Any]) -> None:
        handlers_under_watch.block()

    async def work() -> None:
        await around(None, None, None)  # type: ignore[arg-type]
        await asyncio.sleep(LIMIT_S)
        await warm_up({})

    names = [line["handler"].rpartition(".")[2] for line in handlers_under_watch.watched(work)]
    assert names == ["around", "warm_up"]


def test_somebody_else_is_unknown(handlers_under_watch: WatchedHandlers) -> None:
    """A task that a handler has started blocks just as well; the stack is all that is known of it."""

    async def work() -> None:
        asyncio.get_running_loop().call_soon(callback)
        await asyncio.sleep(0.001)

    def callback() -> None:
        handlers_under_watch.block()

    (line,) = handlers_under_watch.watched(work)
    assert line["handler"] == "unknown"
    assert line["frames"][-1].endswith("WatchedHandlers.block")
    assert line["frames"][-2].endswith("callback")


def test_loop_that_waits_is_left_alone(handlers_under_watch: WatchedHandlers) -> None:
    """An idle loop turns whenever it is asked to."""
    assert handlers_under_watch.watched(lambda: asyncio.sleep(4 * LIMIT_S)) == []


def test_waiting_loop_has_no_culprit() -> None:
    """Seen after the process was stopped, a loop that only waits is nobody's fault."""
    found = []

    def look(thread: int) -> None:
        def blocking_function() -> tuple[str, Sequence[FrameType]]:
            return find_blocking_handler(sys._current_frames()[thread], {})

        until_now(lambda: blocking_function() == ("unknown", []), "the loop begins to wait")
        found.append(blocking_function())  # it has nothing else to do until this has ended

    async def wait() -> None:
        await asyncio.to_thread(look, threading.get_ident())

    for run in (asyncio.run, uvloop.run):
        run(wait())
    assert found == [("unknown", [])] * 2


@pytest.mark.parametrize(
    ("waited_s", "worked_s", "answered", "blocked"),
    [
        pytest.param(0.3, 0.3, False, False, id="not yet"),
        pytest.param(0.6, 0.0, False, True, id="sleeps"),
        pytest.param(0.6, 0.6, False, True, id="works"),
        pytest.param(9.0, 8.9, False, True, id="holds the lock"),
        pytest.param(9.0, 1.0, False, True, id="holds the lock on a busy machine"),
        pytest.param(9.0, 8.9, True, True, id="holds the lock since it answered"),
        pytest.param(9.0, 0.1, False, False, id="SIGSTOP"),
        pytest.param(9.0, 0.1, True, False, id="SIGSTOP after the answer"),
        pytest.param(0.6, 0.1, True, False, id="watchdog came late"),
    ],
)
def test_block_is_told_from_a_pause(*, waited_s: float, worked_s: float, answered: bool, blocked: bool) -> None:
    """A pause of the whole process is no block; a loop that worked, or did not answer, was blocked."""
    assert is_blocked(waited_s, worked_s, 0.5, answered=answered) is blocked


def test_any_guise_is_recognised() -> None:
    """Decorated functions, partials and callable objects are found by the code that runs."""

    class Bot:
        async def __call__(self, event: MessageReceived, context: Context) -> None:
            found.append(find_blocking_handler(sys._getframe(), names()))

    async def plain(_extra: int, event: Any, context: Any) -> None:
        found.append(find_blocking_handler(sys._getframe(), names()))

    def names() -> Any:
        return watchdog._names()

    found: list[Any] = []
    handlers = Handlers()
    watchdog = Watchdog(handlers, Logbook().logger)
    handlers.on("message.received")(Bot())
    handlers.on("message.status")(functools.partial(plain, 1))
    asyncio.run(Bot()(None, None))  # type: ignore[arg-type]
    asyncio.run(plain(1, None, None))
    assert [name.rpartition(".")[2] for name, _ in found] == ["Bot", "plain"]
