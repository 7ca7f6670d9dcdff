"""`hookline up` takes its settings from `.env` and from platforms, and the commands beside it read what it runs with."""

import json
from pathlib import Path
from typing import Any

import aiohttp

from tests.acceptance.support.machine import Machine
from tests.support.inbound.kinds import message
from tests.support.servers.ports import free_port
from tests.support.waiting import until


async def config(machine: Machine, **settings: str) -> dict[str, tuple[Any, str]]:
    """Return value and source of each setting, as `hookline config` shows them."""
    code, output = await machine.run("config", "--json", **settings)
    assert code == 0, output
    return {one["variable"]: (one["value"], one["source"]) for one in json.loads(output)["settings"]}


def write(folder: Path, *lines: str) -> None:
    (folder / ".env").write_text("".join(f"{line}\n" for line in lines))


async def test_commands_beside_it_read_what_it_runs_with(machine: Machine) -> None:
    """Also what only its own terminal had, and what `.env` has no more; what is set for the command itself wins."""
    write(machine.folder, "HOOKLINE_PREFIX=shop", "PROCESSOR_SHUTDOWN_S=7", "TWILIO_SHARED_KEYS=SK1=planted-secret")
    process = await machine.up("up.log", PROCESSOR_CONCURRENCY="9")
    write(machine.folder, "HOOKLINE_PREFIX=other")
    await machine.send(message(Body="stuck"))
    shown = await config(machine, LOG_LEVEL="error")
    assert shown["HOOKLINE_PREFIX"] == ("shop", "hookline up")
    assert shown["PROCESSOR_CONCURRENCY"] == (9, "hookline up")
    assert shown["PROCESSOR_SHUTDOWN_S"] == (7, "hookline up")
    assert shown["PROCESSOR_HANDLERS"] == ("stubborn:handlers", "hookline up")
    assert shown["LOG_LEVEL"] == ("error", "environment")
    assert "planted-secret" not in machine.read("var/up.json")
    code, output = await machine.run("status", "--interval", "0.1", "--json")
    topic = json.loads(output)["topics"]["messages"]
    assert (code, topic["events"] + topic["scheduled"]) == (0, 1)
    code, output = await machine.run("dead", "list", "--json")
    assert (code, json.loads(output)["total"]) == (0, 0)
    code, output = await machine.run("send", "message")
    assert code == 0, output
    (machine.folder / "go").touch()
    await until(lambda: "handled: stuck" in machine.read("up.log"), "it is handled")
    process.terminate()
    assert await process.wait() == 0
    shown = await config(machine, PUBLIC_URL="https://hooks.example.com", TWILIO_AUTH_TOKEN="0" * 32)
    assert (shown["HOOKLINE_PREFIX"], shown["PROCESSOR_CONCURRENCY"]) == (("other", ".env"), (100, "default"))


async def test_on_a_platform(machine: Machine) -> None:
    """It listens on PORT on every address, where the platform calls it, and ignores a DATABASE_URL that is of no use."""
    port = str(free_port())
    await machine.up("up.log", INGRESS_PORT="", PORT=port, DATABASE_URL="mysql://app:planted@db/app")
    async with aiohttp.request("POST", f"http://127.0.0.2:{port}/twilio") as response:
        assert response.status == 403
    log = machine.read("up.log")
    assert "hookline: DATABASE_URL is not used as HOOKLINE_LEDGER_URL: it is neither of PostgreSQL nor of SQLite" in log
    assert "planted" not in log
    assert (machine.folder / "var" / "ledger.db").exists()
    code, output = await machine.run("ledger", "search", "--json", DATABASE_URL="mysql://app:planted@db/app")
    assert (code, json.loads(output)) == (0, [])


async def test_mistake_in_env_file(machine: Machine) -> None:
    """Nothing is started, and one line says what is wrong."""
    write(machine.folder, "LOG_LEVEL=error", "oops")
    code, output = await machine.run("up")
    assert code == 1
    assert output == (
        "hookline: 1 setting to fix before this can start:\n  - .env, line 2: this is no assignment. "
        "Write NAME=value, close every quote, and begin a comment with #.\n"
    )
