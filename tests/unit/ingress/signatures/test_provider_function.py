"""The user's function that returns tokens: how it is found and called."""

import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest

from hookline_ingress.signatures.provider_function import ProviderCalls, load_provider
from hookline_shared.errors import SettingsError
from tests.support.waiting import until


async def test_function_that_is_async() -> None:
    """It runs in the event loop."""

    async def find(account: str) -> str:
        await asyncio.sleep(0)
        return account[::-1] + threading.current_thread().name

    assert await ProviderCalls(find)("AC1") == "1CAMainThread"


async def test_function_that_blocks() -> None:
    """A plain one runs in a thread, also if it is a part of another or an object."""

    class Finder:
        def __call__(self, account: str) -> str:
            return account + threading.current_thread().name

    assert await ProviderCalls(Finder())("AC1") == "AC1tokens provider"
    assert await ProviderCalls(partial(Finder().__call__))("AC2") == "AC2tokens provider"


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_what_it_raises(kind: str) -> None:
    """Any error is that of the call, even the one that should end the process."""

    async def find(_account: str) -> str:
        raise LookupError("no such account")

    def find_plainly(_account: str) -> str:
        raise SystemExit("no such account")

    with pytest.raises((LookupError, RuntimeError), match="no such account"):
        await ProviderCalls(find if kind == "async" else find_plainly)("AC1")


async def test_call_that_hangs_in_the_loop() -> None:
    """It is cancelled when its time is over, and its slot is free."""
    ended: list[str] = []

    async def find(account: str) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(account)
        return ""

    calls = ProviderCalls(find, timeout_s=0.01, most=1)
    for account in ("AC1", "AC2"):
        with pytest.raises(TimeoutError, match="longer than"):
            await calls(account)
    await until(lambda: ended == ["AC1", "AC2"], "both are cancelled")


async def test_call_that_hangs_in_a_thread() -> None:
    """It holds its slot until it has ended, so that threads do not pile up."""
    free, begun = threading.Event(), list[str]()

    def find(account: str) -> str:
        begun.append(account)
        free.wait()
        return account

    calls = ProviderCalls(find, timeout_s=0.01, most=1)
    with pytest.raises(TimeoutError):
        await calls("AC1")
    second = asyncio.create_task(calls("AC2"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert begun == ["AC1"]
    free.set()
    assert await second == "AC2"


def test_function_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the working folder, or in the import path."""
    (tmp_path / "tokens_of_test.py").write_text("def find(account): return account\nnothing = 1\nimport no_such\n")
    (tmp_path / "more_tokens.py").write_text("def find(account): return account\nnothing = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert load_provider("more_tokens:find")("x") == "x"
    for location, problem in {
        "more_tokens:other": "has no attribute 'other'",
        "more_tokens:nothing": "nothing in more_tokens is no function",
        "tokens_of_test:find": "No module named 'no_such'",
        "no_such_module:find": "No module named 'no_such_module'",
    }.items():
        with pytest.raises(SettingsError, match=problem) as caught:
            load_provider(location)
        assert caught.value.problems[0].startswith(f"TWILIO_TOKENS_PROVIDER={location}: ")
