"""The user's function that returns tokens of accounts: how it is found, and how it is called.

It may be `async def` or plain. A plain one runs in a thread of its own. A call that hangs holds its slot until it really ends,
so that threads cannot pile up; it does not hold up the end of the process.
"""

import asyncio
import importlib
import inspect
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Final, cast

from hookline_shared.errors import SettingsError

TOKENS_PROVIDER: Final = "TWILIO_TOKENS_PROVIDER"
"""The setting that names the function, written `module:function`."""
LOCATION: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
TIMEOUT_S: Final = 8.0
"""Seconds for one call. Twilio gives up after 15."""
_MOST_CALLS: Final = 16
"""Calls that run at once."""

Function = Callable[[str], Any]


class ProviderCalls:
    """Calls of `function` with the SID of an account, a few at once, each for `timeout_s` seconds at most."""

    def __init__(self, function: Function, timeout_s: float = TIMEOUT_S, most: int = _MOST_CALLS) -> None:
        self._function = function
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(most)
        self._is_async = _is_async(function)

    async def __call__(self, account: str) -> object:
        """Return what the function returns. Whatever it raises is raised.

        Raises:
            TimeoutError: if it takes too long.

        """
        await self._slots.acquire()
        call = self._call(account)
        call.add_done_callback(self._end)
        done, _ = await asyncio.wait([call], timeout=self._timeout_s)
        if done:
            return call.result()
        if self._is_async:
            call.cancel()
        raise TimeoutError(f"it took longer than {self._timeout_s:g} s")

    def _call(self, account: str) -> "asyncio.Future[object]":
        if self._is_async:
            return asyncio.ensure_future(cast("Awaitable[object]", self._function(account)))
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        Thread(target=self._run, args=(account, future), name="tokens provider", daemon=True).start()
        return future

    def _run(self, account: str, future: "asyncio.Future[object]") -> None:
        """Call the function in this thread, and hand its result to `future`, unless the event loop has ended."""
        try:
            settle = partial(future.set_result, self._function(account))
        except BaseException as error:  # noqa: BLE001 - SystemExit, too, means that there is no token
            settle = partial(future.set_exception, RuntimeError(f"{type(error).__name__}: {error}"))
        with suppress(RuntimeError):
            future.get_loop().call_soon_threadsafe(settle)

    def _end(self, call: "asyncio.Future[object]") -> None:
        self._slots.release()
        if not call.cancelled():
            call.exception()  # of a call that nobody waits for any more: it counts as seen


def load_provider(location: str) -> Function:
    """Return the function at `location`, in the import path or in the working folder.

    Raises:
        SettingsError: if there is none.

    """
    name, _, attribute = location.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        found = getattr(importlib.import_module(name), attribute)
    except BaseException as error:
        problem = f"importing {name} failed with {type(error).__name__}: {error}"
        raise SettingsError(
            [f"{TOKENS_PROVIDER}={location}: {problem}. Start from the folder of {name}, or fix it."]
        ) from error
    if not callable(found):
        raise SettingsError([f"{TOKENS_PROVIDER}={location}: {attribute} in {name} is no function of an account SID."])
    return cast("Function", found)


def _is_async(function: Function) -> bool:
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
