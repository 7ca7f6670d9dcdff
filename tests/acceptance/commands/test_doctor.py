"""`hookline doctor` beside what runs."""

import json
from typing import Any

import pytest

from hookline_cli.doctor.checks.event import SID_BEGINS, check_event
from hookline_cli.doctor.finding import Level
from tests.acceptance.support.machine import Machine
from tests.acceptance.support.pair import Pair
from tests.support.processes.findings import subject, the_wrong, wrongs
from tests.support.servers.redis_server import RedisServer


async def examined(machine: Machine, *words: str, code: int = 0) -> dict[str, Any]:
    ended, output = await machine.run("doctor", "--json", *words)
    assert ended == code, output
    found: dict[str, Any] = json.loads(output)
    return found


async def test_running_pair_is_well(machine: Machine) -> None:
    """Beside `hookline up`, doctor needs to be told nothing; a webhook gets through, and no handler sees anything of it."""
    await machine.up("first.log", "--ingress", "2")
    found = await examined(machine)
    assert found["problems"] == 0
    texts = [finding["found"] for finding in found["findings"] if finding["level"] == "ok"]
    for words in (
        "ingress is running",
        "processor is running",
        "appendonly yes",
        "8, the same as in Redis",
        "stubborn:handlers was imported",
        "was verified",
    ):
        assert any(words in text for text in texts), words
    code, status = await machine.run("status", "--json")
    assert code == 0
    assert all(topic["events"] == topic["dead"] == 0 for topic in json.loads(status)["topics"].values())
    assert "attempt failed" not in machine.read("first.log")


@pytest.mark.parametrize(("wait_s", "state"), [("600", "waits for a handler"), ("0", "is a dead letter")])
async def test_event_without_a_handler_is_told(machine: Machine, wait_s: str, state: str) -> None:
    """With --send an event goes all the way; where there is no handler for it, that shows."""
    await machine.up("first.log", PROCESSOR_UNHANDLED_WAIT_S=wait_s)
    found = await examined(machine, "--send")
    (finding,) = [finding for finding in found["findings"] if state in finding["found"]]
    assert finding["level"] == "warning"


async def test_event_is_settled(single_pair: Pair, own_redis: RedisServer) -> None:
    """Where there is a handler, it gets the event, which is then settled; without a processor it waits."""
    examined = subject(
        {"REDIS_URL": own_redis.url, "INGRESS_HOST": "127.0.0.1", "INGRESS_PORT": single_pair.ingress.port}, send=True
    )
    assert wrongs(await check_event(examined)) == []
    assert [line for line in single_pair.lines() if SID_BEGINS in json.dumps(line)] != []

    await single_pair.processor.stop()
    level, text = the_wrong(await check_event(examined, timeout_s=0.1))
    assert level is Level.WARNING
    assert "is still waiting" in text

    await single_pair.ingress.stop()
    level, text = the_wrong(await check_event(examined))
    assert level is Level.PROBLEM
    assert "was not accepted" in text


async def test_nothing_running_is_no_problem(machine: Machine, own_redis: RedisServer) -> None:
    """Before the first start it is told whether one would work; the exit code is 0 unless something is wrong."""
    settings = {"PUBLIC_URL": "https://hooks.example.com", "TWILIO_AUTH_TOKEN": "0" * 32, "REDIS_URL": own_redis.url}
    code, output = await machine.run("doctor", **settings)
    assert code == 0, output
    code, output = await machine.run("doctor", **settings, PROCESSOR_HANDLERS="nowhere:handlers", COLUMNS="200")
    assert code == 1
    assert "there is no module nowhere" in output
    assert "Traceback" not in output
