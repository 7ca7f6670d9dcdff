"""Handlers that fork: what happens to the child is no concern of the processor, and its end is that of nobody else."""

import os
import signal
from pathlib import Path
from typing import Final

import pytest

from hookline_shared.topics import MESSAGES, STATUSES
from tests.support.processes.services import Services
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION, Feed
from tests.support.storage.stored import Stored
from tests.support.waiting import until

BOT: Final = """
import asyncio, multiprocessing, os, signal, subprocess, sys, time
from hookline import Handlers

handlers = Handlers()
fork = multiprocessing.get_context("fork")

def note(word):
    with open("notes", "a") as file:
        file.write(f"{word}\\n")

def forked(child):
    pid = os.fork()
    if pid == 0:
        child()
    return pid

def ended(pid):
    note(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

def killed(number):
    def handle():
        process = fork.Process(target=time.sleep, args=(60,))
        process.start()
        os.kill(process.pid, number)
        process.join(10)
        note(process.exitcode)
    return handle

def killed_at_once():
    pid = forked(lambda: time.sleep(60))
    if pid:
        os.kill(pid, signal.SIGTERM)
        ended(pid)

def pool():
    with fork.Pool(2) as made:
        note(sum(made.map(abs, [-1, -2])))

def with_preparation():
    process = subprocess.Popen(["sleep", "60"], preexec_fn=os.setpgrp)
    process.terminate()
    note(process.wait(10))

def returns():
    if pid := forked(lambda: None):
        ended(pid)

def exits():
    if pid := forked(lambda: sys.exit(7)):
        ended(pid)

def raises():
    if pid := forked(lambda: 1 / 0):
        ended(pid)

def runs_a_loop():
    if pid := forked(lambda: asyncio.run(asyncio.sleep(0.01))):
        ended(pid)

def outlives():
    pid = forked(lambda: time.sleep(600))
    with open("pid", "w") as file:
        file.write(str(pid))
    note("left")

WAYS = {"terminate": killed(signal.SIGTERM), "interrupt": killed(signal.SIGINT), "kill": killed(signal.SIGKILL), "pool": pool,
    "at-once": killed_at_once, "preparation": with_preparation, "returns": returns, "exits": exits, "raises": raises,
    "loop": runs_a_loop, "outlives": outlives}

@handlers.on("message.received")
def plain(event, context):
    WAYS[event.body]()

@handlers.on("message.status")
async def in_the_loop(event, context):
    WAYS[event.params["Body"]]()
    await asyncio.sleep(0)
"""

WAYS: Final = {
    "terminate": "-15",
    "interrupt": "-2",
    "kill": "-9",
    "pool": "3",
    "at-once": "-15",
    "preparation": "-15",
    "returns": "0",
    "exits": "7",
    "raises": "1",
    "loop": "0",
}
"""Each way to fork, and what the handler notes of the child's end."""


def notes(folder: Path) -> list[str]:
    file = folder / "notes"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize("kind", ["message.received", "message.status"], ids=["plain", "async"])
@pytest.mark.parametrize(("way", "noted"), WAYS.items(), ids=WAYS.keys())
async def test_child_is_a_process_of_its_own(
    kind: str, way: str, noted: str, redis_url: str, feed: Feed, stored: Stored, services: Services, tmp_path: Path
) -> None:
    """The handler sees its end and goes on, once; the processor knows nothing of it, handles the next event, and stops."""
    (tmp_path / "bot.py").write_text(BOT)
    processor = services.processor(
        {"REDIS_URL": redis_url, "PROCESSOR_HANDLERS": "bot:handlers", "PYTHONUNBUFFERED": ""}, forked=False
    )
    await processor.start()
    topic = MESSAGES if kind == "message.received" else STATUSES
    for number in (1, 2):
        await feed.put_all([event(key=key_of(PARTITION), body=f"Body={way}".encode(), kind=kind)], topic)
        await until(lambda: stored.events(topic) == [], "it is settled")
        assert notes(tmp_path) == [noted] * number
    assert stored.dead_letters(PARTITION) == []
    assert processor.exit_code is None
    assert processor.find("stopping") is None
    assert await processor.stop() == 0


async def test_child_that_outlives_the_processor_leaves_its_port(
    redis_url: str, feed: Feed, stored: Stored, services: Services, tmp_path: Path
) -> None:
    """A processor that starts again finds it free."""
    (tmp_path / "bot.py").write_text(BOT)
    processor = services.processor(
        {"REDIS_URL": redis_url, "PROCESSOR_HANDLERS": "bot:handlers", "PYTHONUNBUFFERED": ""}, forked=False
    )
    await processor.start()
    await feed.put_all([event(key=key_of(PARTITION), body=b"Body=outlives")])
    await until(lambda: stored.events() == [], "it is settled")
    child = int((tmp_path / "pid").read_text())
    try:
        processor.signal(signal.SIGKILL)
        await until(lambda: processor.exit_code is not None, "it is dead")
        os.kill(child, 0)  # while the child lives
        await processor.start()
    finally:
        os.kill(child, signal.SIGKILL)
    assert await processor.stop() == 0
