"""`hookline up --reload`: changed handlers take effect at once."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

from tests.acceptance.support.machine import Machine
from tests.support.inbound.kinds import message
from tests.support.waiting import until

_LOG = "first.log"

_CODE = """
import asyncio, pathlib
from hookline import Handlers
handlers = Handlers()
@handlers.on("message.received")
async def write_down(event, context):
    print("begun:", event.body, flush=True)
    while event.body == "slow" and not pathlib.Path("go").exists():
        await asyncio.sleep(0.01)
    with open("record.txt", "a") as record:
        record.write(f"VERSION {event.body}\\n")
"""


def save(machine: Machine, version: str) -> None:
    """Write the handlers as editors do: to another file first, which then takes the place of the old one."""
    draft = machine.folder / "stubborn.py.tmp"
    draft.write_text(_CODE.replace("VERSION", version))
    draft.replace(machine.folder / "stubborn.py")


async def started(machine: Machine) -> asyncio.subprocess.Process:
    save(machine, "old")
    return await machine.up(_LOG, "--reload")


def handled(machine: Machine) -> list[str]:
    record = machine.folder / "record.txt"
    return record.read_text().splitlines() if record.exists() else []


def lines(machine: Machine, what: str) -> list[str]:
    return [line for line in machine.read(_LOG).splitlines() if what in line]


async def restarted(machine: Machine, times: int = 1) -> list[str]:
    """Wait until the processor was restarted so often; return the lines that report it."""
    await until(lambda: len(lines(machine, "processor restarted")) >= times, f"it was restarted {times} times")
    return lines(machine, "processor restarted")


async def stopped(up: asyncio.subprocess.Process) -> None:
    up.send_signal(signal.SIGINT)
    assert await up.wait() == 0


def processor_pid(machine: Machine) -> int:
    """Return the process id of the processor, which is the second part after Redis."""
    return int((machine.folder / "var" / "lock").read_text().split()[1])


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_new_code_handles_what_comes_and_nothing_is_lost(machine: Machine) -> None:
    """Webhooks before, while and after the code changes are all accepted and handled once, the last ones by the new code."""
    up = await started(machine)
    first = processor_pid(machine)
    sent = 0

    async def send() -> None:
        nonlocal sent
        await machine.send(message(Body=f"number {sent}", From=f"+1415555{sent % 7:04}"))
        sent += 1

    for _ in range(10):
        await send()
    save(machine, "new")
    while not lines(machine, "processor restarted"):
        await send()
    for _ in range(10):
        await send()
    await until(lambda: len(handled(machine)) >= sent, "all are handled")
    versions, numbers = zip(*(line.split(" ", 1) for line in handled(machine)), strict=True)
    assert Counter(numbers) == Counter(f"number {number}" for number in range(sent))
    assert set(versions) == {"old", "new"}
    assert set(versions[-10:]) == {"new"}
    assert lines(machine, "restarted") == ["stubborn.py changed: processor restarted"]
    assert processor_pid(machine) != first
    await stopped(up)
    assert "Traceback" not in machine.read(_LOG)


async def test_broken_code_waits_to_be_fixed(machine: Machine) -> None:
    """With code that cannot be imported, webhooks are accepted, one line says what is wrong, and the next change fixes it."""
    up = await started(machine)
    (machine.folder / "stubborn.py").write_text("def (:\n")
    await until(lambda: lines(machine, "processor could not start"), "it says so")
    await machine.send(message(Body="meanwhile"))
    (machine.folder / "stubborn.py").unlink()
    await until(lambda: len(lines(machine, "processor could not start")) == 2, "it cannot start without the file, either")
    assert lines(machine, "SyntaxError")
    assert "Traceback" not in machine.read(_LOG)
    assert not handled(machine)

    save(machine, "fixed")
    await until(lambda: handled(machine) == ["fixed meanwhile"], "it is handled")
    assert up.returncode is None
    await stopped(up)


async def test_it_comes_up_with_broken_code(machine: Machine) -> None:
    """Code that does not work from the start is no different: webhooks are accepted, and the next change is waited for."""
    (machine.folder / "stubborn.py").write_text("import nothing_of_that_name\n")
    up = await machine.up(_LOG, "--reload")
    await until(
        lambda: lines(machine, "processor ended by itself with code 1; it starts again at the next change"), "it says so"
    )
    await machine.send(message(Body="early"))
    save(machine, "fixed")
    await until(lambda: handled(machine) == ["fixed early"], "it is handled")
    await stopped(up)


async def test_many_changes_are_one_restart(machine: Machine) -> None:
    """A checkout that changes many files restarts once; what environments, tools and Hookline write restarts nothing."""
    folders = (".venv/lib", "node_modules/x", ".git", "var/cache", "__pycache__", "shop")
    for folder in folders:
        (machine.folder / folder).mkdir(parents=True)
    up = await started(machine)
    up.send_signal(signal.SIGSTOP)  # so that it sees all of it at once, however slowly this is written
    for folder in folders:
        (machine.folder / folder / "code.py").touch()
    (machine.folder / "notes.txt").touch()
    for number in range(30):
        (machine.folder / f"other_{number:02}.py").touch()
    save(machine, "new")
    up.send_signal(signal.SIGCONT)
    assert await restarted(machine) == ["other_00.py and 31 more changed: processor restarted"]
    save(machine, "newer")
    assert (await restarted(machine, 2))[1:] == ["stubborn.py changed: processor restarted"]
    await stopped(up)


async def test_handler_that_runs_finishes(machine: Machine) -> None:
    """The old processor drains before the new one starts, and ingress goes on meanwhile."""
    up = await started(machine)
    await machine.send(message(Body="slow"))
    await until(lambda: lines(machine, "begun: slow"), "the handler runs")
    save(machine, "new")
    await until(lambda: lines(machine, "stopping"), "the processor stops")
    await machine.send(message(Body="next"))
    (machine.folder / "go").touch()
    await until(lambda: handled(machine) == ["old slow", "new next"], "both are handled, in order")
    await restarted(machine)
    await stopped(up)
    assert len(lines(machine, "begun: slow")) == 1


async def test_ctrl_c_while_the_old_one_drains(machine: Machine) -> None:
    """Ctrl-C in the middle of a restart stops everything; nothing is left behind, and the handler that runs finishes."""
    up = await started(machine)
    await machine.send(message(Body="slow"))
    await until(lambda: lines(machine, "begun: slow"), "the handler runs")
    pids = [int(pid) for pid in (machine.folder / "var" / "lock").read_text().split()]
    save(machine, "new")
    await until(lambda: lines(machine, "stopping"), "the processor stops")
    up.send_signal(signal.SIGINT)
    (machine.folder / "go").touch()
    assert await up.wait() == 0
    assert handled(machine) == ["old slow"]
    assert not lines(machine, "restarted")
    assert not any(map(is_alive, pids))


async def test_processor_that_dies_comes_back_at_the_next_change(machine: Machine) -> None:
    """With --reload, a processor that dies ends nothing else; the code is changed, and it starts again."""
    up = await started(machine)
    os.kill(processor_pid(machine), signal.SIGKILL)
    await until(lambda: lines(machine, "processor ended by itself with code -9"), "it says so")
    await machine.send(message(Body="orphan"))
    save(machine, "fixed")
    await until(lambda: handled(machine) == ["fixed orphan"], "it is handled")
    assert up.returncode is None
    await stopped(up)
