"""A folder in which `hookline` runs, as its user sees it."""

import asyncio
import os
import sys
from pathlib import Path

import aiohttp

from tests.support.inbound.webhooks import Params, Twilio
from tests.support.servers.ports import free_port, is_free
from tests.support.waiting import PATIENCE_S, until

HOOKLINE = Path(sys.executable).with_name("hookline")
"""The command, as it is installed."""

STUBBORN = """
import pathlib
from hookline import Handlers
handlers = Handlers()
@handlers.on("message.received")
async def only_when_told(event, context):
    if not pathlib.Path("go").exists():
        raise RuntimeError("not yet")
    print("handled:", event.body, flush=True)
"""


def _two_free_ports() -> int:
    """Return a port that is free together with the one ten above it, where the second ingress has its own."""
    while not is_free(10 + (port := free_port())):
        pass
    return port


class Machine:
    """A folder in which `hookline` runs, with ports of its own. `program` is the command, if it is another installation's."""

    def __init__(self, folder: Path, program: Path = HOOKLINE) -> None:
        self.folder = folder
        self._program = program
        self._environment = {
            "PATH": os.environ["PATH"],
            "INGRESS_PORT": str(free_port()),
            "INGRESS_ADMIN_PORT": str(_two_free_ports()),
            "PROCESSOR_ADMIN_PORT": str(free_port()),
            "PROCESSOR_BACKOFF_BASE_S": "0.2",
            "PROCESSOR_MAX_ATTEMPTS": "1000",
            "PROCESSOR_BACKOFF_MAX_S": "0.2",
        }
        self._running: list[asyncio.subprocess.Process] = []

    @property
    def environment(self) -> dict[str, str]:
        """The settings that every command gets."""
        return dict(self._environment)

    async def launch(self, *words: str, log: str, **settings: str) -> asyncio.subprocess.Process:
        """Start `hookline` with `words`, its output going to the file `log`."""
        return await self._launch(str(self._program), *words, log=log, **settings)

    async def execute(self, *command: str) -> tuple[int, str]:
        """Run `command` until it ends; return exit code and output."""
        process = await self._launch(*command, log="run.log")
        return await asyncio.wait_for(process.wait(), PATIENCE_S), self.read("run.log")

    def within(self, folder: str) -> "Machine":
        """Return the same machine, in a folder below this one; it is ended with this one."""
        machine = Machine(self.folder / folder, self._program)
        machine._environment, machine._running = self._environment, self._running
        return machine

    async def _launch(self, *command: str, log: str, **settings: str) -> asyncio.subprocess.Process:
        with (self.folder / log).open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self.folder,
                env={**self._environment, **settings},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._running.append(process)
        return process

    async def run(self, *words: str, **settings: str) -> tuple[int, str]:
        """Run `hookline` with `words` until it ends; return exit code and output."""
        process = await self.launch(*words, log="run.log", **settings)
        return await asyncio.wait_for(process.wait(), PATIENCE_S), self.read("run.log")

    async def up(self, log: str, *words: str, **settings: str) -> asyncio.subprocess.Process:
        """Start `hookline up` with `words` and wait until it says that it is up."""
        process = await self.launch("up", "--handlers", "stubborn:handlers", *words, log=log, **settings)
        await until(lambda: "Hookline is up" in self.read(log) or process.returncode is not None, "hookline is up")
        assert process.returncode is None, self.read(log)
        return process

    def read(self, log: str) -> str:
        """Return what was written to `log`."""
        return (self.folder / log).read_text()

    def admin_port(self, number: int = 1) -> int:
        """Return the admin port of ingress `number`."""
        return int(self._environment["INGRESS_ADMIN_PORT"]) + 10 * (number - 1)

    async def send(self, params: Params) -> None:
        """Send a webhook over a connection of its own."""
        url = f"http://127.0.0.1:{self._environment['INGRESS_PORT']}"
        webhook = Twilio((self.folder / "var" / "auth-token").read_text(), url).webhook(params)
        headers = {**webhook.headers, "Connection": "close"}
        async with aiohttp.request("POST", url + webhook.target, data=webhook.body, headers=headers) as response:
            assert response.status == 200, await response.text()

    async def accepted(self, number: int) -> bool:
        """Whether ingress `number` has accepted a webhook."""
        async with aiohttp.request("GET", f"http://127.0.0.1:{self.admin_port(number)}/metrics") as response:
            return 'hookline_ingress_requests_total{code="200"' in await response.text()

    async def close(self) -> None:
        """End everything."""
        for process in self._running:
            if process.returncode is None:
                process.terminate()
                await process.wait()
