"""`hookline status` while things happen."""

import asyncio
import json
import os
import pty
import signal
import sys
from contextlib import suppress

from tests.acceptance.support.machine import Machine
from tests.acceptance.support.pair import Pair
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import PATIENCE_S, until

_COMMAND = "from hookline_cli.start import main; main()"


async def test_processor_that_died_leaves_partitions_without_owner(
    machine: Machine, single_pair: Pair, own_redis: RedisServer
) -> None:
    """Services are found by --admin. Once a processor was killed and its leases ran out, that is a problem with a remedy."""
    admin = [
        word for one in (single_pair.ingress, single_pair.processor) for word in ("--admin", f"{LOOPBACK}:{one.admin_port}")
    ]
    async with asyncio.timeout(PATIENCE_S):
        while True:
            code, output = await machine.run(
                "status", "--interval", "0.1", "--json", *admin, REDIS_URL=own_redis.url, PROCESSOR_LEASE_S="2"
            )
            found = json.loads(output[: output.rindex("}") + 1])
            if code == 0:
                break
    assert [service["role"] for service in found["services"]] == ["ingress", "processor"]
    (owner,) = found["processors"]
    assert owner["partitions"] == [entry["partition"] for entry in found["partitions"]]
    assert all(entry["owner"] == owner["name"] and entry["lease_left_ms"] > 0 for entry in found["partitions"])
    assert found["topics"]["messages"]["accepted_per_s"] == 0
    assert found["rates_over_s"] > 0

    await single_pair.processor.kill()
    async with asyncio.timeout(PATIENCE_S):
        while "No processor is running" not in output:
            code, output = await machine.run("status", *admin, REDIS_URL=own_redis.url, PROCESSOR_LEASE_S="2")
            assert code == 1
    assert "nothing answers at" in output
    assert "no owner for partitions 0-7" in output


async def test_watch_ends_well(machine: Machine) -> None:
    """--watch looks again and again, also where nothing runs, until Ctrl-C, which is no failure."""
    watching = await machine.launch("status", "--watch", "--interval", "0.1", log="watch.log")
    await until(lambda: machine.read("watch.log").count("No Hookline service answers") >= 2, "it has looked twice")
    watching.send_signal(signal.SIGINT)
    assert await watching.wait() == 0
    assert "Traceback" not in machine.read("watch.log")

    watching = await machine.launch("status", "--watch", "--interval", "0.1", "--json", log="watch.log")
    await until(lambda: machine.read("watch.log").count("\n") >= 2, "it has looked twice")
    watching.send_signal(signal.SIGINT)
    assert await watching.wait() == 0
    assert all("problems" in json.loads(line) for line in machine.read("watch.log").splitlines())


async def test_watch_refreshes_in_place_on_a_terminal(machine: Machine) -> None:
    """On a terminal each look replaces the one before."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    words = ("status", "--watch", "--interval", "0.1")
    watching = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _COMMAND,
        *words,
        cwd=machine.folder,
        env=machine.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    screen = b""

    def looked_twice() -> bool:
        nonlocal screen
        with suppress(BlockingIOError):
            screen += os.read(ours, 65536)
        return screen.count(b"1 problem") >= 2

    await until(looked_twice, "it has looked twice")
    watching.send_signal(signal.SIGINT)
    assert await watching.wait() == 0
    os.close(ours)
    assert b"\x1b[1A" in screen
