"""Runs of handlers that a stop or a crash cuts: what the log says, and what the next run is told, in real processes."""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION, Feed
from tests.support.storage.stored import Stored
from tests.support.waiting import until

BOT: Final = """
import asyncio, os, time
from hookline import Handlers

handlers = Handlers()

def note(event, context):
    with open("runs", "a") as file:
        file.write(f"{event.id} {context.attempt} {context.interrupted}\\n")

def is_open():
    return os.path.exists("open")

@handlers.on("message.received", timeout=60)
async def wait(event, context):
    note(event, context)
    if event.body == "fail" and context.attempt == 1 and is_open():
        raise ValueError
    while not is_open():
        await asyncio.sleep(0.01)

@handlers.on("message.status", timeout=60)
def wait_in_a_thread(event, context):
    note(event, context)
    while not is_open():
        time.sleep(0.01)
"""


class Bot:
    """A processor whose handlers wait until `open` is called."""

    def __init__(self, services: Services, redis_url: str, folder: Path) -> None:
        (folder / "bot.py").write_text(BOT)
        settings = {"REDIS_URL": redis_url, "PROCESSOR_HANDLERS": "bot:handlers", "PROCESSOR_LEASE_S": "1"}
        own = {"PROCESSOR_SHUTDOWN_S": "1", "PROCESSOR_BACKOFF_BASE_S": "0.01", "PYTHONUNBUFFERED": ""}
        self.process: ServiceProcess = services.processor(settings | own)
        self._folder = folder

    def open(self) -> None:
        """Let all handlers end."""
        (self._folder / "open").touch()

    def runs(self) -> list[list[str]]:
        """Return the event, attempt and `interrupted` of each run."""
        file = self._folder / "runs"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def logged(self, what: str) -> list[dict[str, Any]]:
        """Return all log lines of one kind."""
        return [line for line in self.process.logs if line.get("event") == what]


@pytest.fixture
def bot(services: Services, redis_url: str, tmp_path: Path) -> Bot:
    """Return a bot that is not started."""
    return Bot(services, redis_url, tmp_path)


async def test_stop_that_cuts_handlers(bot: Bot, feed: Feed, stored: Stored) -> None:
    """Each is one line with its event, async or plain; the next runs know, until they succeed, and no attempt is used up."""
    sent = [event(key=key_of(PARTITION, 1), body=b"Body=fail"), event(key=key_of(PARTITION, 2))]
    await feed.put_all(sent)
    await bot.process.start()
    assert len(bot.logged("a stop may cut handlers short")) == 1
    await until(lambda: len(bot.runs()) == 2, "both run")
    assert await bot.process.stop() == 0
    cut = bot.logged("handler cut short")
    assert sorted(line["event_id"] for line in cut) == sorted(one.id for one in sent)
    assert {line["handler"] for line in cut} == {"bot.wait"}
    assert all(line["seconds"] > 0 and line["attempt"] == 1 for line in cut)

    bot.open()
    await bot.process.start()
    await until(lambda: stored.events() == [], "all are settled")
    first, second = (one.id for one in sent)
    assert sorted(bot.runs()) == sorted(
        [[first, "1", "False"], [second, "1", "False"], [first, "1", "True"], [second, "1", "True"], [first, "2", "True"]]
    )
    assert stored.retry_records(PARTITION) == {}


async def test_plain_handler_that_a_stop_cuts(bot: Bot, feed: Feed, stored: Stored) -> None:
    """It cannot be stopped, so the process ends with it; that is told, and the next run knows."""
    (one,) = [event(key=key_of(PARTITION, 1), kind="message.status")]
    await feed.put_all([one])
    await bot.process.start()
    await until(lambda: len(bot.runs()) == 1, "it runs")
    assert await bot.process.stop() == 0
    (line,) = bot.logged("handler cut short")
    assert (line["event_id"], line["handler"]) == (one.id, "bot.wait_in_a_thread")
    assert "a plain function goes on until the process ends" in line["remedy"]
    bot.open()
    await bot.process.start()
    await until(lambda: stored.events() == [], "it is settled")
    assert bot.runs() == [[one.id, "1", "False"], [one.id, "1", "True"]]


async def test_crash_that_cuts_a_handler(bot: Bot, feed: Feed, stored: Stored) -> None:
    """The next run knows that there may have been an earlier one."""
    (one,) = await feed.put(1)
    await bot.process.start()
    await until(lambda: len(bot.runs()) == 1, "it runs")
    await bot.process.kill()
    bot.open()
    await bot.process.start()
    await until(lambda: stored.events() == [], "it is settled")
    assert bot.runs() == [[one.id, "1", "False"], [one.id, "1", "True"]]


async def test_times_that_fit(services: Services, redis_url: str, tmp_path: Path) -> None:
    """Where a stop waits for all handlers, nothing is told."""
    processor = await services.processor({"REDIS_URL": redis_url}).start()
    assert processor.find("a stop may cut handlers short") is None


STOPPING_BOT: Final = """
import asyncio, os, signal, threading
from hookline import Handlers

handlers = Handlers()
WAYS = {
    "signal": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "raise": lambda: signal.raise_signal(signal.SIGINT),
    "thread": lambda: threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start(),
}

@handlers.on("message.received")
async def stop(event, context):
    if event.body in WAYS:
        WAYS[event.body]()
        await asyncio.Event().wait()
"""


@pytest.mark.parametrize("way", ["signal", "raise", "thread"])
async def test_event_that_stops_its_processor(
    way: str, services: Services, redis_url: str, feed: Feed, stored: Stored, tmp_path: Path
) -> None:
    """It cannot do so for ever: it becomes a dead letter that says why, and all others are handled."""
    (tmp_path / "bot.py").write_text(STOPPING_BOT)
    settings = {"REDIS_URL": redis_url, "PROCESSOR_HANDLERS": "bot:handlers", "PROCESSOR_SHUTDOWN_S": "0.1"}
    processor = services.processor(settings | {"PYTHONUNBUFFERED": ""})
    await feed.put_all([event(key=key_of(PARTITION, 1), body=f"Body={way}".encode()), event(key=key_of(PARTITION, 1))])
    await feed.put_all([event(key=key_of(PARTITION, number)) for number in range(2, 6)])
    stops = 0
    await processor.listen()
    while stored.events():
        if processor.exit_code is not None:
            stops += 1
            await processor.listen()
        await asyncio.sleep(0.01)
    assert stops == 5
    (letter,) = stored.dead_letters(PARTITION)
    assert b"ProcessStopped" in letter[1]
    assert processor.find("event is poison") is not None
    assert await processor.stop() == 0
