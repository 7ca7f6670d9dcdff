"""The user's folder: its modules have any names, and neither side gets those of the other."""

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.acceptance.support.machine import HOOKLINE, Machine
from tests.support.inbound.kinds import message
from tests.support.observability.collector import collecting
from tests.support.processes.service_process import PROCESSOR_PORTS, ServiceProcess
from tests.support.processes.user_project import HANDLED, NEEDED_BY_PYTHON, POISON, write_project
from tests.support.waiting import until, until_answer


async def test_up_beside_modules_of_every_name(machine: Machine) -> None:
    """All parts run, with ledger and traces; the handlers get their own packages and the standard library."""
    write_project(machine.folder)
    async with collecting() as collector:
        settings = {"TRACING": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        up = await machine.launch("up", "--handlers", "bot:handlers", log="up.log", **settings)
        await until(lambda: "module hidden" in machine.read("up.log") or up.returncode is not None, "handlers are imported")
        await until(lambda: "Hookline is up" in machine.read("up.log") or up.returncode is not None, "hookline is up")
        assert up.returncode is None, machine.read("up.log")
        await machine.send(message(Body="hello"))
        await machine.send(message(Body="no"))
        await until(lambda: HANDLED in machine.read("up.log"), "the message is handled")
        await until(lambda: "on purpose" in machine.read("up.log"), "the other is a dead letter")
        await until(lambda: collector.named("settle messages"), "the traces are there")

        async def outcomes() -> set[str]:
            code, output = await machine.run("ledger", "search", "--since", "1h", "--json")
            return {row["outcome"] for row in json.loads(output)} if code == 0 else set()

        await until_answer(outcomes, lambda found: found == {"done", "dead"}, "the ledger has both")
        _, output = await machine.run("doctor", "--json")
        levels = [finding["level"] for finding in json.loads(output)["findings"] if finding["check"] == "handlers"]
        assert levels == ["ok", "warning"], output  # its queue.py is hidden
        up.send_signal(signal.SIGINT)
        assert await up.wait() == 0
    assert POISON not in machine.read("up.log")


@pytest.mark.parametrize(
    ("command", "without"),
    [
        ([str(HOOKLINE), "processor"], frozenset()),
        (["-P", "-m", "hookline_processor"], frozenset()),
        (["-m", "hookline_processor"], NEEDED_BY_PYTHON),
    ],
    ids=["hookline processor", "python -P -m", "python -m"],
)
async def test_processor_beside_modules_of_every_name(
    command: list[str], without: frozenset[str], redis_url: str, tmp_path: Path
) -> None:
    """However it is started, it finds the handlers in the working folder, and says which module they will not get."""
    write_project(tmp_path, without=without)
    settings = {"REDIS_URL": redis_url, "PROCESSOR_HANDLERS": "bot:handlers"}
    processor = ServiceProcess(command, PROCESSOR_PORTS, settings, tmp_path)
    try:
        await processor.start()
        hidden = [line for line in processor.logs if line["event"] == "module hidden"]
        assert await processor.stop() == 0
    finally:
        await processor.close()
    assert [(line["module"], line["by"], line["file"]) for line in hidden] == [
        ("queue", "the standard library", str(tmp_path / "queue.py"))
    ]
    assert processor.stdout == []


@pytest.mark.parametrize(
    ("text", "location", "codes", "words"),
    [
        ("", "bot.py:handlers", (1, 2), "write it as Python imports it, bot:handlers"),
        ("print('noise')\nraise KeyboardInterrupt", "bot:handlers", (1, 1), "ends the process with KeyboardInterrupt()"),
        ("import os\nprint('gone', flush=True)\nos._exit(7)", "bot:handlers", (1, 7), "gone"),
    ],
    ids=["path", "interrupt", "_exit"],
)
async def test_bad_module_is_one_line(
    machine: Machine, redis_url: str, text: str, location: str, codes: tuple[int, int], words: str
) -> None:
    """`hookline up` and `hookline processor` say it and end; the JSON of doctor stays JSON."""
    (machine.folder / "bot.py").write_text(text)
    up, output = await machine.run("up", "--handlers", location)
    assert words in output
    assert "Traceback" not in output
    settings = {"PROCESSOR_HANDLERS": location, "REDIS_URL": redis_url}
    processor, output = await machine.run("processor", **settings)
    assert words in output
    assert "Traceback" not in output
    assert (up, processor) == codes
    assert len([line for line in output.splitlines() if line != "noise"]) <= 1 + (location == "bot.py:handlers")
    code, output = await machine.run("doctor", "--json", **settings)
    assert code == 1
    assert any(words in finding["found"] for finding in json.loads(output)["findings"])


async def test_new_project_works(machine: Machine) -> None:
    """What `hookline new` writes passes its tests and a strict type check, and does what its README says."""
    code, output = await machine.run("new", "demo")
    assert code == 0, output
    assert output.splitlines()[-4:-1] == ["  cd demo", "  pytest", "  hookline up"]
    demo = machine.within("demo")
    for tool in (["pytest", "-q", "-p", "no:cacheprovider"], ["mypy", "--strict", "."], ["ruff", "check", "."]):
        code, output = await demo.execute(sys.executable, "-m", *tool)
        assert code == 0, output
    up = await demo.launch("up", log="up.log")
    await until(lambda: "Hookline is up" in demo.read("up.log") or up.returncode is not None, "hookline is up")
    code, output = await demo.run("send", "message", "--body", "hello")
    assert code == 0, output
    await until(lambda: "+15005550006 says: hello" in demo.read("up.log"), "the message is handled")
    _, output = await demo.run("doctor", "--json")
    assert [finding for finding in json.loads(output)["findings"] if finding["level"] == "problem"] == []
    up.send_signal(signal.SIGINT)
    assert await up.wait() == 0


async def test_new_project_overwrites_nothing(machine: Machine) -> None:
    """A folder with something in the way is refused, and named; other files are no trouble."""
    (machine.folder / "bot.py").write_text("precious")
    (machine.folder / ".gitignore").symlink_to("nowhere")
    code, output = await machine.run("new", ".")
    assert (code, output) == (1, "hookline: . already has bot.py, .gitignore. Choose another folder, or move them away.\n")
    assert (machine.folder / "bot.py").read_text() == "precious"
    assert not (machine.folder / "test_bot.py").exists()
    code, output = await machine.run("new", "stubborn.py")
    assert (code, output) == (1, "hookline: stubborn.py cannot be written: File exists. Choose another folder.\n")
    (machine.folder / "bot.py").unlink()
    (machine.folder / ".gitignore").unlink()
    code, output = await machine.run("new", ".")
    assert code == 0
    assert "cd " not in output
    assert "pythonpath" in (machine.folder / "pyproject.toml").read_text()


async def test_version(machine: Machine) -> None:
    """It is that of the distribution."""
    assert await machine.run("--version") == (0, "hookline 0.1.0\n")
