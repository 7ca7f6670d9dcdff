"""What is no `Exception`, raised by and around handlers of a real processor: it is the attempt's failure, whatever it is."""

from pathlib import Path
from typing import Final

import redis

from hookline_shared.topics import MESSAGES
from tests.support.processes.services import Services
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION, Feed
from tests.support.storage.stored import Stored
from tests.support.waiting import until

BOT: Final = """
import asyncio, os, sys, threading
from concurrent.futures import CancelledError
from hookline import Handlers

handlers = Handlers()

class Own(BaseException):
    def __str__(self): raise KeyboardInterrupt

ERRORS = {"own": Own, "generator": GeneratorExit, "interrupt": KeyboardInterrupt, "exit": lambda: SystemExit(3),
    "cancelled": asyncio.CancelledError, "thread": CancelledError, "group": lambda: BaseExceptionGroup("g", [GeneratorExit()])}

async def fail(error):
    await asyncio.sleep(0)
    raise error

def fail_now(error):
    raise error

@handlers.on("message.received")
async def handle(event, context):
    how, _, name = event.body.partition(":")
    if not name:
        return
    error = ERRORS[name]()
    match how:
        case "directly":
            raise error
        case "task":
            await asyncio.create_task(fail(error))
        case "gather":
            await asyncio.gather(fail(error), asyncio.sleep(0.01))
        case "taskgroup":
            async with asyncio.TaskGroup() as group:
                group.create_task(fail(error))
        case "executor":
            await asyncio.to_thread(fail_now, error)
        case "alone":
            asyncio.create_task(fail(error))
        case "callback":
            asyncio.get_running_loop().call_soon(fail_now, error)
    await asyncio.sleep(0.01)
"""
ERRORS: Final = ("own", "generator", "interrupt", "exit", "cancelled", "thread", "group")
FAILING: Final = [f"{how}:{error}" for how in ("directly", "task", "gather", "taskgroup", "executor") for error in ERRORS]
SWALLOWED: Final = {"taskgroup:cancelled"}
"""A task group ignores a task that is cancelled."""
UNNOTICED: Final = [f"{how}:{error}" for how in ("alone", "callback") for error in ERRORS]
"""Nothing tells the handler, so it succeeds."""


async def test_whatever_is_raised_is_a_failed_attempt(
    redis_url: str, redis_client: "redis.Redis", feed: Feed, stored: Stored, services: Services, tmp_path: Path
) -> None:
    """Every event is tried again, then a dead letter that the log names; all others are handled; the process stops in order."""
    (tmp_path / "bot.py").write_text(BOT)
    bodies = [*FAILING, *UNNOTICED, ""]
    sent = {event(key=key_of(PARTITION, nth), body=f"Body={body}".encode()): body for nth, body in enumerate(bodies)}
    await feed.put_all(sent)
    settings = {"REDIS_URL": redis_url, "PROCESSOR_HANDLERS": "bot:handlers", "PROCESSOR_MAX_ATTEMPTS": "2"}
    processor = await services.processor(settings | {"PROCESSOR_BACKOFF_BASE_S": "0.01"}).start()
    await until(lambda: not stored.entries(PARTITION, MESSAGES), "all are settled")
    failed = [one.id for one, body in sent.items() if body in FAILING and body not in SWALLOWED]
    for line in ("attempt failed", "event is dead"):
        assert sorted(one["event_id"] for one in processor.logs if one["event"] == line) == sorted(failed)
    assert len(stored.dead_letters(PARTITION)) == len(failed)
    ended = [line for line in processor.logs if line["event"] == "a task or callback tried to end the process"]
    assert {line["error"] for line in ended} <= {"SystemExit", "KeyboardInterrupt"}
    assert ended, "of those that come at the same time, the last is told"
    assert await processor.stop() == 0
    assert processor.logs[-1]["event"] == "stopped"
