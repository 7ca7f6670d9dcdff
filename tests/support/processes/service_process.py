"""`python -m hookline_ingress` and `python -m hookline_processor` as real child processes."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

from tests.support.processes.forked import ForkedProcess
from tests.support.servers.ports import LOOPBACK
from tests.support.waiting import PATIENCE_S, until

_ROOT: Final = Path(__file__).parents[3]
_PATH: Final = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
_READ_AT_START: Final = {*_INHERITED, "PYTHONPATH", "TZ"}
"""Python and the system read them at the very start of a process, and a fork does not."""
_LONGEST_LINE: Final = 4 * 1024 * 1024
_CUT: Final = "[cut]"
"""Behind a line whose end was not written."""

_PORT: Final = re.compile(r"\b((?:admin_)?port)\W+(\d+)")
_COLOURS: Final = re.compile(r"\x1b\[[\d;]*m")

INGRESS_PORTS: Final = ("INGRESS_PORT", "INGRESS_ADMIN_PORT")
PROCESSOR_PORTS: Final = ("PROCESSOR_ADMIN_PORT",)


class EndedError(AssertionError):
    """The process ended while a test still needed it."""


class ServiceProcess:
    """One service as a child process. It runs in `folder`; besides PATH and the like, `settings` are all of its environment.

    `ports` names the settings of its ports. Each is chosen by the system at the first start, unless `settings` has it, and kept
    over restarts. The service's own `listening` line says which they are, so no two tests can race for one.
    """

    def __init__(self, arguments: Sequence[str], ports: Sequence[str], settings: Mapping[str, str], folder: Path) -> None:
        self.port = 0
        self.admin_port = 0
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self._arguments = arguments
        self._ports = ports
        self._settings = {"LOG_FORMAT": "json"} | dict.fromkeys(ports, "0") | dict(settings)
        self._folder = folder
        self._process: asyncio.subprocess.Process | ForkedProcess | None = None
        self._package = ""
        self._readers: list[asyncio.Task[None]] = []

    @classmethod
    def ingress(cls, settings: Mapping[str, str], folder: Path) -> Self:
        """Return an ingress, not yet started."""
        return cls._of("hookline_ingress", INGRESS_PORTS, {"INGRESS_HOST": LOOPBACK} | dict(settings), folder)

    @classmethod
    def processor(cls, settings: Mapping[str, str], folder: Path) -> Self:
        """Return a processor, not yet started."""
        return cls._of("hookline_processor", PROCESSOR_PORTS, settings, folder)

    @classmethod
    def _of(cls, package: str, ports: Sequence[str], settings: Mapping[str, str], folder: Path) -> Self:
        service = cls(["-m", package], ports, settings, folder)
        service._package = package
        return service

    @property
    def url(self) -> str:
        """Where webhooks go, without a path."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def admin_url(self) -> str:
        """Where health checks and metrics are."""
        return f"http://{LOOPBACK}:{self.admin_port}"

    @property
    def pid(self) -> int:
        """The process id of the current or last run."""
        return self._started.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative if a signal ended it."""
        return self._started.returncode

    @property
    def errors(self) -> str:
        """Everything written to standard error so far, over all runs."""
        return "\n".join(self.stderr)

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The log lines so far, over all runs, but what a kill has cut."""
        return [json.loads(line) for line in self.stderr if line.startswith("{") and not line.endswith(_CUT)]

    def find(self, event: str) -> dict[str, Any] | None:
        """Return the first log line of `event`, None if there is none yet."""
        return next((line for line in self.logs if line.get("event") == event), None)

    def configure(self, settings: Mapping[str, str]) -> None:
        """Change settings, from the next start on."""
        self._settings |= dict(settings)

    @asynccontextmanager
    async def unread(self) -> AsyncIterator[None]:
        """Read nothing of what the process writes, so that its pipes become full."""
        pipes = _pipes(self._started)
        for pipe in pipes:
            pipe.pause_reading()
        try:
            yield
        finally:
            for pipe in pipes:
                pipe.resume_reading()

    async def launch(self, output: int = asyncio.subprocess.PIPE, before: Callable[[], None] | None = None) -> Self:
        """Start the process, and wait for nothing. What it writes goes to the file descriptor `output`, by default to be read
        by this object. `before` runs in the process before anything else does."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment = inherited | {"PYTHONPATH": _PATH, "PYTHONUNBUFFERED": "1"} | self._settings
        if self._package and output == asyncio.subprocess.PIPE and before is None and _READ_AT_START.isdisjoint(self._settings):
            self._process = await ForkedProcess.start(self._package, self._folder, environment, _LONGEST_LINE)
        else:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                cwd=self._folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                limit=_LONGEST_LINE,
                preexec_fn=before,
            )
        outputs = ((self._process.stdout, self.stdout), (self._process.stderr, self.stderr))
        self._readers = [asyncio.create_task(_collect(stream, lines)) for stream, lines in outputs if stream]
        return self

    async def listen(self) -> Self:
        """Start the process, and wait until its ports are open."""
        before = len(self.stderr)
        await self.launch()
        ports = await until(lambda: self._ports_told(before), "it says where it listens")
        self.port, self.admin_port = ports.get("port", 0), ports["admin_port"]
        for name in self._ports:
            self._settings[name] = str(self.admin_port if "ADMIN" in name else self.port)
        return self

    async def start(self) -> Self:
        """Start the process, and wait until it is ready."""
        await self.listen()
        await self.probe("readyz", 200)
        return self

    async def probe(self, name: str, status: int) -> str:
        """Ask `/livez`, `/readyz` or `/startupz` until it answers with `status`; return its text."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
            while True:
                self._ensure_running(f"/{name} said {status}")
                async with session.get(f"{self.admin_url}/{name}") as answer:
                    text = await answer.text()
                    if answer.status == status:
                        return text
                await asyncio.sleep(0.02)

    async def metrics(self) -> Mapping[str, float]:
        """Read the page of metrics; return each sample by its name and labels, as they stand there."""
        samples = (line.rsplit(" ", 1) for line in (await self.probe("metrics", 200)).splitlines() if line[:1] != "#")
        return {name: float(value) for name, value in samples}

    async def logged(
        self, event: str, holds: Callable[[dict[str, Any]], bool] = lambda _line: True, *, after: int = 0
    ) -> dict[str, Any]:
        """Wait until a line with `event` was logged for which `holds` is true, past the first `after` lines; return it."""

        def find() -> dict[str, Any] | None:
            found = next((line for line in self.logs[after:] if line.get("event") == event and holds(line)), None)
            if found is None and not self._readers_busy():
                self._ensure_running(f"it logged {event!r}")
            return found

        line = await until(find, f"{event!r} is logged")
        assert line is not None
        return line

    def terminate(self) -> None:
        """Ask the process to stop."""
        self.signal(signal.SIGTERM)

    def pause(self) -> None:
        """Stop the process with SIGSTOP until `resume`; connections stay open."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume the process."""
        self.signal(signal.SIGCONT)

    async def kill(self) -> int:
        """Kill the process, as a crash would; return the exit code."""
        self.signal(signal.SIGKILL)
        return await self.ended()

    async def stop(self) -> int:
        """Send SIGTERM and wait; return the exit code."""
        self.terminate()
        return await self.ended()

    async def restart(self) -> Self:
        """Stop it, then start it again on the same ports and wait until it is ready."""
        await self.stop()
        return await self.start()

    async def ended(self) -> int:
        """Wait until it has ended and all that it wrote was read; return the exit code."""
        async with asyncio.timeout(PATIENCE_S):
            code = await self._started.wait()
            await asyncio.gather(*self._readers)
        return code

    async def close(self) -> None:
        """Kill the process if it runs."""
        if self._process is not None:
            await self.kill()

    def _ports_told(self, after: int) -> dict[str, int]:
        """Return the ports in the line `listening`, in whatever format, past the first `after` lines."""
        line = next((line for line in self.stderr[after:] if "listening" in line), "")
        if not line and not self._readers_busy():
            self._ensure_running("it listened")
        return {name: int(port) for name, port in _PORT.findall(_COLOURS.sub("", line))}

    @property
    def _started(self) -> asyncio.subprocess.Process | ForkedProcess:
        assert self._process is not None, "not launched yet"
        return self._process

    def _readers_busy(self) -> bool:
        return not all(reader.done() for reader in self._readers)

    def signal(self, number: signal.Signals) -> None:
        if self.exit_code is None:
            self._started.send_signal(number)

    def _ensure_running(self, before: str) -> None:
        if self.exit_code is not None:
            raise EndedError(f"{' '.join(self._arguments)} ended with {self.exit_code} before {before}:\n{self.errors}")


def _pipes(process: asyncio.subprocess.Process | ForkedProcess) -> Sequence[asyncio.ReadTransport]:
    """Return what reads standard output and standard error."""
    if isinstance(process, ForkedProcess):
        return process.pipes
    transport: Any = process._transport  # type: ignore[attr-defined]
    return [transport.get_pipe_transport(number) for number in (1, 2)]


async def _collect(stream: asyncio.StreamReader, lines: list[str]) -> None:
    while line := await stream.readline():
        text = line.decode(errors="replace")
        lines.append(text.removesuffix("\n") if text.endswith("\n") else text + _CUT)
