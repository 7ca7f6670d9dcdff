"""One child process of `hookline up`."""

import asyncio
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import aiohttp

from hookline_cli.settings.rows import secrets
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import HooklineError
from hookline_shared.settings.base import secrets_of
from hookline_shared.settings.secret_files import SUFFIX

READY_TIMEOUT_S: Final = 20.0
_FOR_HANDLERS: Final = ("TWILIO_AUTH_TOKEN", "TWILIO_AUTH_TOKEN_FILE")
_STOP_TIMEOUT_S: Final = 60.0  # above the processor's own deadline
_ANSWER_TIMEOUT: Final = aiohttp.ClientTimeout(total=2)
"""In seconds. Short, since whoever waits for readiness looks for Ctrl-C and changes only between two questions."""


def without_secrets(environment: Mapping[str, str], keep: Iterable[str]) -> dict[str, str]:
    """Return the variables of `environment` for one process: of the secrets and the files with them, only those in `keep`."""
    own = set(keep)
    others = {name for name in secrets() if name not in own}
    return {
        name: value for name, value in environment.items() if name not in others and name.removesuffix(SUFFIX) not in others
    }


def for_processor(*, forwards: bool = False) -> list[str]:
    """Return the secrets of the processor: its own, and Twilio's token if the user has set it for this program.

    It sends messages with that, and handlers call Twilio. A token that was made up here is of no use to them; one that
    `forwards` webhooks signs them with either.
    """
    own = (name for name in secrets_of(ProcessorSettings) if name not in _FOR_HANDLERS)
    return [*own, *(name for name in _FOR_HANDLERS if forwards or os.environ.get(name))]


def python_command(module: str) -> list[str]:
    """Return the command that runs `module` of Hookline; -P keeps the user's folder from shadowing its imports."""
    return [sys.executable, "-P", "-m", module]


class UpError(HooklineError):
    """The processes could not be started, or one of them ended by itself."""


class ChildProcess:
    """A child process in a process group of its own: Ctrl-C reaches `hookline up` alone, which stops all processes in order."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process

    @classmethod
    async def start(
        cls, name: str, command: Sequence[str], environment: Mapping[str, str], inherit: Sequence[int] = ()
    ) -> "ChildProcess":
        """Start `command`; it shares our output, and inherits the file descriptors `inherit`."""
        process = await asyncio.create_subprocess_exec(*command, env=environment, process_group=0, pass_fds=inherit)
        return cls(name, process)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is running."""
        return self._process.returncode is None

    async def ended(self) -> int:
        """Wait until the process has ended; return its exit code, negative for a signal."""
        return await self._process.wait()

    def terminate(self) -> None:
        """Ask the process to stop; the second time, it stops at once."""
        if self.running:
            self._process.terminate()

    async def stop(self) -> None:
        """Ask the process to stop, and kill it if it does not."""
        self.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_TIMEOUT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def not_ready(session: aiohttp.ClientSession, port: int) -> str:
    """Return the failing checks of the service with that admin port, empty if it is ready."""
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz", timeout=_ANSWER_TIMEOUT) as response:
            return "" if response.ok else (await response.text()).strip()
    except (aiohttp.ClientError, TimeoutError):  # its event loop may be blocked by the user's code
        return "it does not answer on its admin port"
