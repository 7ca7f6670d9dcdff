"""`hookline up` and `hookline send`, as a newcomer uses them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S, until

_ROOT = Path(__file__).parents[2]

_STUBBORN = """
import pathlib
from processor import Handlers
handlers = Handlers()
@handlers.on("message.received")
async def only_when_told(event, context):
    if not pathlib.Path("go").exists():
        raise RuntimeError("not yet")
    print("handled:", event.body, flush=True)
"""


class Machine:
    """A folder in which `hookline` runs, with ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(_ROOT),
            "INGRESS_PORT": str(free_port()),
            "INGRESS_ADMIN_PORT": str(free_port()),
            "PROCESSOR_ADMIN_PORT": str(free_port()),
            "PROCESSOR_BACKOFF_BASE_S": "0.2",
            "PROCESSOR_MAX_ATTEMPTS": "1000",
            "PROCESSOR_BACKOFF_MAX_S": "0.2",
        }
        self._running: list[asyncio.subprocess.Process] = []

    async def launch(self, *words: str, log: str, **settings: str) -> asyncio.subprocess.Process:
        """Start `hookline` with `words`, its output going to the file `log`."""
        with (self.folder / log).open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                "from cli.main import main; main()",
                *words,
                cwd=self.folder,
                env={**self._environment, **settings},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._running.append(process)
        return process

    async def run(self, *words: str, **settings: str) -> tuple[int, str]:
        """Run `hookline` with `words` until it ends; gives exit code and output."""
        process = await self.launch(*words, log="run.log", **settings)
        return await asyncio.wait_for(process.wait(), PATIENCE_S), self.read("run.log")

    async def up(self, log: str) -> asyncio.subprocess.Process:
        """Start `hookline up` and wait until it says that it is up."""
        process = await self.launch("up", "--handlers", "stubborn:handlers", log=log)
        await until(lambda: "Hookline is up" in self.read(log) or process.returncode is not None, "hookline is up")
        assert process.returncode is None, self.read(log)
        return process

    def read(self, log: str) -> str:
        """Give what was written to `log`."""
        return (self.folder / log).read_text()

    async def close(self) -> None:
        """End everything."""
        for process in self._running:
            if process.returncode is None:
                process.terminate()
                await process.wait()


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    (tmp_path / "stubborn.py").write_text(_STUBBORN)
    made = Machine(tmp_path)
    yield made
    await made.close()


async def test_pending_events_survive_ctrl_c(machine: Machine) -> None:
    """What was accepted and not yet handled is handled after Ctrl-C and the next start."""
    first = await machine.up("first.log")
    code, answer = await machine.run("send", "message", "--body", "hello")
    assert code == 0, answer
    assert answer.startswith("200 <Response/>  in ")
    await until(lambda: "attempt failed" in machine.read("first.log"), "the handler has failed")
    first.send_signal(signal.SIGINT)
    assert await first.wait() == 0

    (machine.folder / "go").touch()
    second = await machine.up("second.log")
    await until(lambda: "handled: hello" in machine.read("second.log"), "it is handled")
    second.send_signal(signal.SIGTERM)
    assert await second.wait() == 0
    assert "Traceback" not in machine.read("second.log")


async def test_second_up_in_the_same_folder_is_refused(machine: Machine) -> None:
    """Two Redis servers would ruin one folder's data; the second is refused with the reason."""
    await machine.up("first.log")
    code, output = await machine.run("up")
    assert code == 1
    assert "already runs with its data in var/" in output


async def test_part_that_dies_is_named(machine: Machine) -> None:
    """If a part ends by itself, the rest is stopped and the message says which one it was."""
    up = await machine.up("first.log")
    ports = {"INGRESS_PORT": str(free_port()), "INGRESS_ADMIN_PORT": str(free_port())}
    code, output = await machine.run("up", "--data", "other", **ports)
    assert code == 1
    assert "PROCESSOR_ADMIN_PORT" in output
    assert "The processor ended by itself" in output
    assert "Traceback" not in output
    assert up.returncode is None


async def test_wrong_settings_start_nothing(machine: Machine) -> None:
    """Settings that are wrong are all named, and nothing is started."""
    code, output = await machine.run("up", INGRESS_PORT="high", LOG_LEVEL="loud")
    assert code == 1
    assert "INGRESS_PORT is wrong" in output
    assert "LOG_LEVEL is wrong" in output
    assert "Traceback" not in output
