"""Functions that note that they were called, and what wraps functions in programs of users."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any, Final

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]
CALLS: Final[list[str]] = []


async def an_async(*_: object) -> None:
    await asyncio.sleep(0)
    CALLS.append("async")


def a_plain(*_: object) -> None:
    CALLS.append("plain")


def passes_on(function: Function) -> Function:
    @functools.wraps(function)
    def wrapper(*given: object) -> object:
        return function(*given)

    return wrapper


def runs(function: Function) -> Function:
    """Run an async function in an event loop of its own."""

    @functools.wraps(function)
    def wrapper(*given: object) -> None:
        asyncio.run(function(*given))

    return wrapper


def runs_in_ours(function: Function) -> Function:
    """Run an async function in the loop that is there at registration, and wait for it, as adapters do."""
    loop = asyncio.get_running_loop()

    @functools.wraps(function)
    def wrapper(*given: object) -> None:
        asyncio.run_coroutine_threadsafe(function(*given), loop).result(10)

    return wrapper


def makes_a_task(function: Function) -> Function:
    @functools.wraps(function)
    def wrapper(*given: object) -> object:
        return asyncio.ensure_future(function(*given))

    return wrapper


def gathers(function: Function) -> Function:
    @functools.wraps(function)
    def wrapper(*given: object) -> object:
        return asyncio.gather(function(*given))

    return wrapper


def awaits(function: Function) -> Function:
    @functools.wraps(function)
    async def wrapper(*given: object) -> object:
        return await function(*given)

    return wrapper


def forgets_to_await(function: Function) -> Function:
    @functools.wraps(function)
    async def wrapper(*given: object) -> object:
        return function(*given)

    return wrapper


def calls(function: Function) -> Function:
    """Call a plain function."""

    @functools.wraps(function)
    async def wrapper(*given: object) -> object:
        await asyncio.sleep(0)
        return function(*given)

    return wrapper


def in_a_lambda(function: Function) -> Function:
    return lambda one, two=None: function(one, two)


def in_an_object(function: Function) -> Function:
    class Object:
        def __call__(self, *given: object) -> object:
            return function(*given)

    return Object()


def in_an_async_object(function: Function) -> Function:
    class Object:
        async def __call__(self, *given: object) -> object:
            return await function(*given)

    return Object()


def in_an_object_that_wraps(function: Function) -> Function:
    class Object:
        def __init__(self) -> None:
            functools.update_wrapper(self, function)

        def __call__(self, *given: object) -> object:
            return function(*given)

    return Object()


def as_a_method(function: Function) -> Function:
    class Bot:
        @passes_on
        async def handle(self, *given: object) -> None:
            await function(*given)

    return Bot().handle


AROUND_ASYNC: Final = [
    *(passes_on, runs, runs_in_ours, makes_a_task, gathers, awaits, forgets_to_await, in_a_lambda, in_an_object),
    *(in_an_async_object, in_an_object_that_wraps, as_a_method, functools.partial),
]
HIDING: Final = (in_a_lambda, in_an_object)
"""Nobody can see what is in them."""
AROUND_PLAIN: Final = [passes_on, calls, in_a_lambda, in_an_object, in_an_object_that_wraps, functools.partial]
