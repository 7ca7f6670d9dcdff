"""How a traceback looks to people."""

import json
from collections.abc import Callable
from types import CodeType
from typing import Any

from hookline_processor.verdicts import Failure
from hookline_shared.observability.tracebacks import for_people

_BOT = """
import asyncio, json

def parse(text):
    return json.loads(text)

def answer(text):
    try:
        return parse(text)
    except ValueError as error:
        raise RuntimeError("cannot answer") from error

def shout(text):
    raise RuntimeError(text)

def again(text):
    return again(text)

def wait(text):
    asyncio.run(several())

async def several():
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.wait_for(asyncio.sleep(60), 0))
"""


def code_of_the_user() -> dict[str, Any]:
    names: dict[str, Any] = {}
    compiled: CodeType = compile(_BOT, "/srv/shop/bot.py", "exec")
    exec(compiled, names)
    return names


def shown(function: str | Callable[[str], object], text: str = "{") -> list[str]:
    """Return the lines for a handler that fails like this."""
    run = code_of_the_user()[function] if isinstance(function, str) else function
    try:
        run(text)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this very function
        return for_people(Failure.of(error).traceback).split("\n")
    raise AssertionError("it did not fail")


def test_frames_of_libraries_are_folded() -> None:
    """The frames of the user are shown, what they call is named in a line, and causes come as Python writes them."""
    lines = shown("answer")
    assert lines[:4] == [
        "  Traceback (most recent call last):",
        '    File "/srv/shop/bot.py", line 9, in answer',
        '    File "/srv/shop/bot.py", line 5, in parse',
        "    ... 3 frames in json",
    ]
    assert lines[4].startswith("  json.decoder.JSONDecodeError: ")
    assert lines[-2:] == ['    File "/srv/shop/bot.py", line 11, in answer', "  RuntimeError: cannot answer"]


def test_without_a_frame_of_the_user_all_are_shown() -> None:
    """Where there is nothing of the user's, the frames of libraries are all there is to go by."""
    lines = shown(json.loads)
    assert not any("..." in line for line in lines)
    assert any("/json/" in line for line in lines)


def test_groups_are_folded_too() -> None:
    """Errors of an exception group keep the margin that shows what belongs together."""
    lines = shown("wait")
    assert any(line.endswith("in several") and line.startswith("    |   File ") for line in lines)
    assert any(line.startswith("    |   ... ") and line.endswith(" in asyncio") for line in lines)
    assert "/asyncio/" not in "\n".join(lines)


def test_repeated_frames_stay_counted() -> None:
    """Python's own remark on a recursion without end is left as it is."""
    assert any("Previous line repeated" in line for line in shown("again"))


def test_message_cannot_forge_lines() -> None:
    """An error may quote what a customer wrote: it neither moves the cursor nor begins a line of its own."""
    lines = shown("shout", "a\n12:00:00 [info] event done\x1b[2J\r\u2028x\x85y\tz")
    assert lines[-2:] == ["  RuntimeError: a", "  12:00:00 [info] event done\\x1b[2J\\r\\u2028x\\x85y\tz"]
    assert all(line.startswith("  ") for line in lines)


def test_frames_of_hookline_are_folded() -> None:
    """In a clone, the packages of Hookline are no folders of site-packages."""
    frames = [
        '  File "/srv/hookline/processor/hookline_processor/api/handlers.py", line 1, in compose',
        '  File "/srv/hookline/bot.py", line 2, in answer',
        '  File "/srv/.venv/lib/python3.13/site-packages/requests/api.py", line 3, in get',
        '  File "<frozen importlib._bootstrap>", line 4, in _load',
    ]
    assert for_people("\n".join(frames)).split("\n") == [
        "    ... 1 frame in hookline",
        '    File "/srv/hookline/bot.py", line 2, in answer',
        "    ... 2 frames in requests, importlib",
    ]


def test_traceback_that_is_cut_off_is_still_shown() -> None:
    """Only the end of a long one is kept, so it may begin anywhere."""
    assert for_people('ot.py", line 3\n    x()\nValueError: x\n') == '  ot.py", line 3\n      x()\n  ValueError: x'
