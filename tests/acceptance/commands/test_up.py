"""`hookline up` and `hookline send`, as a newcomer uses them."""

import json
import os
import signal
import socket
import sqlite3
from contextlib import closing
from typing import Any

from hookline_ingress.spool.database import NewEntry, SpoolFile
from tests.acceptance.support.machine import Machine
from tests.support.inbound.kinds import message
from tests.support.processor.events import event
from tests.support.servers.ports import free_port
from tests.support.waiting import until, until_answer


def _listens(port: int) -> bool:
    """Whether somebody listens on `port`. It may not be free yet, either, while closed connections linger."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_pending_events_survive_ctrl_c(machine: Machine) -> None:
    """What was accepted and not yet handled is handled after Ctrl-C and the next start."""
    first = await machine.up("first.log")
    code, answer = await machine.run("send", "message", "--body", "hello")
    assert code == 0, answer
    assert answer.startswith("200 <Response/>  in ")
    await until(lambda: "attempt failed" in machine.read("first.log"), "the handler has failed")
    await until(lambda: "\n  RuntimeError: not yet\n" in machine.read("first.log"), "its traceback has lines of its own")
    assert f'\n    File "{machine.folder / "stubborn.py"}", line' in machine.read("first.log")
    first.send_signal(signal.SIGINT)
    assert await first.wait() == 0
    assert machine.read("first.log").count("took partitions") == 1
    assert "partitions=0-7" in machine.read("first.log")

    (machine.folder / "go").touch()
    second = await machine.up("second.log")
    await until(lambda: "handled: hello" in machine.read("second.log"), "it is handled")
    second.send_signal(signal.SIGTERM)
    assert await second.wait() == 0
    assert "Traceback" not in machine.read("second.log")


async def test_beside_another_pair(machine: Machine, redis_url: str) -> None:
    """A second pair is refused, in the same folder or on the same ports; status names what is missing where it looks."""
    up = await machine.up("first.log")
    await refused_in_the_same_folder(machine)
    await refused_on_the_same_ports(machine)
    await missing_is_named(machine, redis_url)
    assert up.returncode is None


async def refused_in_the_same_folder(machine: Machine) -> None:
    """Two Redis servers would ruin one folder's data; the second is refused with the reason."""
    code, output = await machine.run("up")
    assert code == 1
    assert "is already running with its data in var/" in output


async def refused_on_the_same_ports(machine: Machine) -> None:
    """Where another pair answers on an admin port, nothing is started, and nobody is told that it is up."""
    code, output = await machine.run("up", "--data", "other", "--port", str(free_port()))
    assert code == 1
    assert output.startswith(f"hookline: Port {machine.admin_port()} on 127.0.0.1 is in use by another program")
    assert "choose another port with INGRESS_ADMIN_PORT" in output


async def missing_is_named(machine: Machine, redis_url: str) -> None:
    """A service that is gone and a Redis that is away are each named, with a remedy."""
    nowhere = {"PROCESSOR_ADMIN_PORT": str(free_port())}
    code, output = await machine.run("status", "--data", "elsewhere", REDIS_URL=redis_url, **nowhere)
    assert code == 1
    assert "processor: nothing answers on port" in output
    code, output = await machine.run("status", "--data", "elsewhere", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert code == 1
    assert "Redis cannot be reached" in output
    assert "Traceback" not in output


async def test_wrong_settings_start_nothing(machine: Machine) -> None:
    """Settings that are wrong are all named, and nothing is started."""
    code, output = await machine.run("up", INGRESS_PORT="high", LOG_LEVEL="loud")
    assert code == 1
    assert "INGRESS_PORT is wrong" in output
    assert "LOG_LEVEL is wrong" in output
    assert "Traceback" not in output


async def test_several_ingress_processes_share_the_port(machine: Machine) -> None:
    """With --ingress 2, two processes take webhooks on one port, each with a spool of its own; Ctrl-C stops both."""
    up = await machine.up("first.log", "--ingress", "2")
    (machine.folder / "go").touch()

    async def send_and_ask() -> tuple[bool, bool]:
        await machine.send(message())
        return await machine.accepted(1), await machine.accepted(2)

    await until_answer(send_and_ask, all, "both have got a webhook")
    assert {file.name for file in (machine.folder / "var").glob("spool*.db")} == {"spool.db", "spool-2.db"}
    up.send_signal(signal.SIGINT)
    assert await up.wait() == 0
    assert not _listens(machine.admin_port(1))
    assert not _listens(machine.admin_port(2))
    assert "Traceback" not in machine.read("first.log")


async def test_part_that_dies_is_named(machine: Machine) -> None:
    """If a part ends by itself, the rest is stopped and the message says which one it was."""
    up = await machine.up("first.log", "--ingress", "2")
    os.kill(int((machine.folder / "var" / "lock").read_text().split()[-1]), signal.SIGKILL)
    assert await up.wait() == 1
    assert "The ingress-2 ended by itself" in machine.read("first.log")
    assert not _listens(machine.admin_port(1))


async def test_events_left_in_a_spool_are_not_forgotten(machine: Machine) -> None:
    """Fewer ingress processes than before are refused while events lie in the spool of one that is missing."""
    spool = machine.folder / "kept" / "own-2.db"
    file = SpoolFile(spool, max_mb=1)
    file.open()
    file.commit([NewEntry("messages", 0, event())])
    file.close()
    own = {"INGRESS_SPOOL_PATH": str(machine.folder / "kept" / "own.db")}
    code, output = await machine.run("up", **own)
    assert code == 1
    assert f"1 in {spool}" in output
    assert "Start once with --ingress 2" in output

    (machine.folder / "go").touch()
    up = await machine.up("second.log", "--ingress", "2", **own)
    await until(lambda: "handled:" in machine.read("second.log"), "it is delivered")
    up.send_signal(signal.SIGINT)
    assert await up.wait() == 0
    third = await machine.up("third.log", **own)
    assert third.returncode is None


async def test_status_tells_of_everything_that_runs(machine: Machine) -> None:
    """In a second terminal, `hookline status` finds every process and the backlog without being told where they are."""
    up = await machine.up("first.log", "--ingress", "2")
    assert (await machine.run("send", "message"))[0] == 0
    await until(lambda: "attempt failed" in machine.read("first.log"), "the event waits for its next attempt")

    code, table = await machine.run("status", COLUMNS="200")
    assert code == 0, table
    for word in ("messages", "ingress-1", "ingress-2", "processor", "ready", "redis closed"):
        assert word in table

    async def ask() -> dict[str, Any]:
        code, output = await machine.run("status", "--json")
        assert code == 0, output
        told: dict[str, Any] = json.loads(output)
        assert told["topics"]["messages"]["events"] + told["topics"]["messages"]["scheduled"] == 1
        return told

    def waits(told: dict[str, Any]) -> bool:
        return bool(told["topics"]["messages"]["waiting"] == told["topics"]["messages"]["pending"] == 1)

    found = await until_answer(ask, waits, "it waits, since an attempt is none of those that wait")
    assert found["topics"]["calls"]["oldest_ms"] is None
    assert [service["name"] for service in found["services"]] == ["ingress-1", "ingress-2", "processor"]
    assert [service["spool_events"] for service in found["services"]] == [0, 0, None]
    assert all(service["ready"] for service in found["services"])
    *ingresses, processor = (service["breakers"] for service in found["services"])
    assert ingresses == [{"redis": "closed"}] * 2
    assert processor == {"redis": "closed", "database": "closed"}

    up.send_signal(signal.SIGINT)
    assert await up.wait() == 0
    code, output = await machine.run("status")
    assert code == 1
    assert "Start the services with `hookline up`" in output


async def test_status_with_nothing_running(machine: Machine) -> None:
    """Where nothing runs, it says what to do, whether Redis is away, too, and --json is still JSON for whoever reads it."""
    nowhere = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    code, output = await machine.run("status", **nowhere)
    assert code == 1
    first, service, broker = output.splitlines()
    assert first == "hookline: 2 problems:"
    assert service.startswith("  - No Hookline service answers on this machine")
    assert broker.startswith("  - Redis cannot be reached")
    code, output = await machine.run("status", "--json", **nowhere)
    assert code == 1
    assert '"topics": {}' in output
    assert "Traceback" not in output


async def test_history_is_kept_without_being_asked_for(machine: Machine) -> None:
    """`hookline up` keeps a ledger in its folder, which has what was handled by the time it has stopped."""
    (machine.folder / "go").touch()
    up = await machine.up("first.log")
    await machine.send(message(Body="for the record"))
    await until(lambda: "handled: for the record" in machine.read("first.log"), "it is handled")
    up.send_signal(signal.SIGINT)
    assert await up.wait() == 0
    file = machine.folder / "var" / "ledger.db"
    with closing(sqlite3.connect(file)) as ledger:
        assert ledger.execute("SELECT body, direction, status FROM messages").fetchall() == [
            ("for the record", "inbound", "received")
        ]
        assert ledger.execute("SELECT outcome, attempts FROM events").fetchall() == [("done", 1)]
    assert file.stat().st_mode & 0o077 == 0
    assert "Traceback" not in machine.read("first.log")


async def test_what_is_set_to_nothing_is_not_there(machine: Machine) -> None:
    """Whoever sets INGRESS_SPOOL_PATH or HOOKLINE_LEDGER_URL to nothing gets no spool and no ledger from `hookline up` either.

    A service without a spool warns of it, which status shows, and is no failure.
    """
    await machine.up("first.log", "--ingress", "2", INGRESS_SPOOL_PATH="", HOOKLINE_LEDGER_URL="")
    code, output = await machine.run("status")
    assert code == 0, output
    assert "warning ingress-1, ingress-2: spool: There is no spool" in output
    assert not list(machine.folder.rglob("spool*.db"))
    assert not (machine.folder / "var" / "ledger.db").exists()
