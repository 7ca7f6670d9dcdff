"""Check that the user's handlers can be imported: in a separate process, so that nothing the module does can end doctor."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from hookline_cli.doctor.finding import Finding, fine, problem, warning
from hookline_cli.doctor.load_handlers import Loaded
from hookline_cli.doctor.subject import Subject
from hookline_processor.settings import ProcessorSettings

_CHECK: Final = "handlers"
_PROGRAM: Final = """
from hookline_shared.lifecycle.import_path import defer_python_path
defer_python_path()
from hookline_cli.doctor.load_handlers import main
main()
"""
_TIMEOUT_S: Final = 20.0
_WILL_NOT: Final = "The processor will not start, so events wait in Redis."
_RAISE_SHUTDOWN: Final = (
    "Raise PROCESSOR_SHUTDOWN_S, and what waits for the processor to stop (TimeoutStopSec, terminationGracePeriodSeconds, "
    "stop_grace_period) to 18 s more; or lower the time-outs."
)
_LAST_WORDS: Final = 300
_MOST_NAMED: Final = 8


async def check_handlers(subject: Subject, timeout_s: float = _TIMEOUT_S) -> list[Finding]:
    """Import the handlers and report the kinds that they handle."""
    if subject.processor is None:
        return []
    location = subject.processor.handlers
    if location is None and subject.processor.forwards:
        return [fine(_CHECK, "PROCESSOR_HANDLERS is not set: webhooks are forwarded")]
    if location is None:
        meaning = "Events are logged and settled, and nothing else happens to them."
        return [
            warning(_CHECK, "PROCESSOR_HANDLERS is not set", meaning, "Set it to the module:attribute of your Handlers object.")
        ]
    return await _load(subject.processor, location, {**os.environ, **subject.adopted}, timeout_s)


async def _load(settings: ProcessorSettings, location: str, environment: Mapping[str, str], timeout_s: float) -> list[Finding]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)  # a process that the module started may hold the other end open
    arguments = (location, str(writer), str(settings.handler_timeout_s))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", _PROGRAM, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        pass_fds=[writer],
        process_group=0,
        env=environment,
    )
    os.close(writer)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        text = f"importing {location} takes longer than {timeout_s:g} s"
        remedy = "Do not wait for anything while the module is imported; use @handlers.on_startup."
        return [problem(_CHECK, text, _WILL_NOT, remedy)]
    else:
        return _judge(settings, location, _read(reader), process.returncode, output.decode(errors="replace"))
    finally:
        os.close(reader)


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, 1 << 20)
    except BlockingIOError:
        return b""


def _judge(settings: ProcessorSettings, location: str, answer: bytes, code: int | None, output: str) -> list[Finding]:
    if not answer:
        words = " ".join(output.split())[-_LAST_WORDS:]
        text = f"importing {location} ended the process with code {code}{f': {words}' if words else ''}"
        return [problem(_CHECK, text, _WILL_NOT, "Do not end the process while the module is imported.")]
    loaded = msgspec.json.decode(answer, type=Loaded)
    if loaded.problem:
        return [problem(_CHECK, loaded.problem, _WILL_NOT, "Fix that; hookline doctor imports it as the processor does.")]
    wait = f"dead letters {settings.unhandled_wait_s:g} s after receipt"
    missing = f"; without a handler, so {wait}: {_shortened(loaded.unhandled)}" if loaded.unhandled else ""
    hidden = [warning(_CHECK, text, "Your handlers get the other module.", "Rename it.") for text in loaded.hidden]
    imported = fine(_CHECK, f"{location} was imported; handled: {', '.join(loaded.handled) or 'nothing'}{missing}")
    return [imported, *hidden, *_judge_shutdown(settings, loaded.longest_timeout_s)]


def _shortened(kinds: Sequence[str]) -> str:
    """Return the first of `kinds`, and how many more there are: most products are used by few."""
    more = len(kinds) - _MOST_NAMED
    return ", ".join([*kinds[:_MOST_NAMED], *([f"and {more} more kinds"] if more > 0 else [])])


def _judge_shutdown(settings: ProcessorSettings, longest_timeout_s: float) -> list[Finding]:
    contradiction = settings.cuts_handlers(longest_timeout_s)
    if contradiction is None:
        return []
    meaning = "A deploy may cut handlers within their time-out. They run again, with context.interrupted."
    return [warning(_CHECK, contradiction, meaning, _RAISE_SHUTDOWN)]
