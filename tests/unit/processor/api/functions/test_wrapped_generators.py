"""Generators inside of functions, and functions around generators: lifespans, and what is none."""

import contextlib
import functools
from collections.abc import AsyncIterator, Iterator

import pytest

from hookline import Handlers, HandlersError
from hookline.testing import Done, HookError, deliver, started
from tests.support.processor.wrapped_functions import CALLS, Decorator, Function, calls, in_an_object_that_wraps, passes_on


async def opens(state: dict[str, str]) -> AsyncIterator[None]:
    CALLS.append("opened")
    yield
    CALLS.append("closed")


@pytest.mark.parametrize(
    "decorator", [None, passes_on, in_an_object_that_wraps, functools.partial, contextlib.asynccontextmanager]
)
async def test_lifespan_inside_of_anything(decorator: Decorator | None) -> None:
    """A lifespan that a plain function passes on is one."""
    handlers = Handlers()
    handlers.lifespan(decorator(opens) if decorator else opens)
    async with started(handlers):
        assert CALLS == ["opened"]
    assert CALLS == ["opened", "closed"]


def test_coroutine_around_a_generator_is_no_lifespan() -> None:
    """What is called gives a coroutine and no generator, which is told at once."""
    with pytest.raises(HandlersError, match="cannot be a lifespan"):
        Handlers().lifespan(calls(opens))


async def test_lifespan_that_gives_something_else() -> None:
    """A decorator that swallows the generator is named."""

    @functools.wraps(opens)
    def swallow(state: object) -> int:
        return 7

    handlers = Handlers()
    handlers.lifespan(swallow)  # type: ignore[type-var]
    with pytest.raises(HookError, match="returned a int and no generator"):
        async with started(handlers):
            pass


def test_context_manager_is_no_handler() -> None:
    """It would be opened by nobody, so its body would never run."""
    for function in (contextlib.asynccontextmanager(opens), contextlib.contextmanager(iterates)):
        with pytest.raises(HandlersError, match="has a yield"):
            Handlers().on_startup(function)


def iterates(state: object) -> Iterator[None]:
    CALLS.append("begun")
    yield
    CALLS.append("ended")


def exhausts(function: Function) -> Function:
    @functools.wraps(function)
    def wrapper(*given: object) -> None:
        for _ in function(*given):
            pass

    return wrapper


async def test_generator_inside_of_a_function_that_runs_it() -> None:
    """What is registered is an ordinary function, whatever it wraps."""
    handlers = Handlers()
    handlers.on_startup(exhausts(iterates))
    handlers.on("message.received")(exhausts(lambda _event, _context: iterates(None)))
    async with started(handlers):
        assert CALLS == ["begun", "ended"]
    assert await deliver(handlers, "message.received") == Done()
