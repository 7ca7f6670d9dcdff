"""Check that the user's handlers can be imported: in a separate process, so that nothing the module does can end doctor."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from typing import Final

import msgspec

from hookline_cli.doctor.finding import Finding, fine, problem, warning
from hookline_cli.doctor.load_handlers import Loaded
from hookline_cli.doctor.subject import Subject

_CHECK: Final = "handlers"
_TIMEOUT_S: Final = 20.0
_WILL_NOT: Final = "The processor will not start, so events wait in Redis."
_LAST_WORDS: Final = 300


async def check_handlers(subject: Subject, timeout_s: float = _TIMEOUT_S) -> list[Finding]:
    """Import the handlers and report the kinds that they handle."""
    if subject.processor is None:
        return []
    location = subject.processor.handlers
    if location is None:
        meaning = "Events are logged and settled, and nothing else happens to them."
        return [
            warning(_CHECK, "PROCESSOR_HANDLERS is not set", meaning, "Set it to the module:attribute of your Handlers object.")
        ]
    return await _load(location, {**os.environ, **subject.adopted}, timeout_s)


async def _load(location: str, environment: Mapping[str, str], timeout_s: float) -> list[Finding]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)  # a process that the module started may hold the other end open
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "hookline_cli.doctor.load_handlers", location, str(writer)),
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
        return _judge(location, _read(reader), process.returncode, output.decode(errors="replace"))
    finally:
        os.close(reader)


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, 1 << 20)
    except BlockingIOError:
        return b""


def _judge(location: str, answer: bytes, code: int | None, output: str) -> list[Finding]:
    if not answer:
        words = " ".join(output.split())[-_LAST_WORDS:]
        text = f"importing {location} ended the process with code {code}{f': {words}' if words else ''}"
        return [problem(_CHECK, text, _WILL_NOT, "Do not end the process while the module is imported.")]
    loaded = msgspec.json.decode(answer, type=Loaded)
    if loaded.problem:
        return [problem(_CHECK, loaded.problem, _WILL_NOT, "Fix that; hookline doctor imports it as the processor does.")]
    missing = f"; not handled, so dead letters: {', '.join(loaded.unhandled)}" if loaded.unhandled else ""
    hidden = [warning(_CHECK, text, "Your handlers get the other module.", "Rename it.") for text in loaded.hidden]
    return [fine(_CHECK, f"{location} was imported; handled: {', '.join(loaded.handled) or 'nothing'}{missing}"), *hidden]
