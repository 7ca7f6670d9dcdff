"""Services whose log cannot be written: their work goes on, and they stop as they should.

Each runs with standard output and standard error of one kind that cannot be written. It says nothing then, so its ports are
chosen before it starts.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, setrlimit
from typing import Final

import aiohttp
import pytest

from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.ingress_client import IngressClient
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.processor.feed import PARTITION, Feed
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.stored import Stored
from tests.support.waiting import until, until_answer

BOT: Final = """
import logging, sys, warnings
from hookline import Handlers, Reject

handlers = Handlers()
library = logging.getLogger("a.library")

@handlers.on("message.received")
async def refuse(event, context):
    print("x" * 2000)
    print("y" * 2000, file=sys.stderr)
    library.error("%s", "z" * 2000)
    library.error("%d", "no number")
    warnings.warn("w" * 2000 + event.id)
    context.logger.warning("about to refuse", what="v" * 2000)
    raise Reject("not for us")
"""
"""It writes to everything that there is, more than any pipe and queue hold."""
EVENTS: Final = 200
WEBHOOKS: Final = 10
DROPPED: Final = "hookline_log_lines_dropped_total"


@dataclass
class Destination:
    """Where standard output and standard error go. `before` runs in the process before anything else does.

    `counted` is whether anything is dropped: what is closed is as good as the null device.
    """

    fd: int
    reader: int | None = None
    before: Callable[[], None] | None = None
    counted: bool = True


def closed_pipe(_folder: Path) -> Destination:
    reader, fd = os.pipe()
    os.close(reader)
    return Destination(fd)


def full_pipe(_folder: Path) -> Destination:
    reader, fd = os.pipe()
    return Destination(fd, reader)


def full_disk(folder: Path) -> Destination:
    fd = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
    return Destination(fd, before=lambda: setrlimit(RLIMIT_FSIZE, (0, RLIM_INFINITY)))


def device_without_room(_folder: Path) -> Destination:
    return Destination(os.open("/dev/full", os.O_WRONLY))


def closed(_folder: Path) -> Destination:
    return Destination(os.open(os.devnull, os.O_WRONLY), before=lambda: os.closerange(1, 3), counted=False)


@pytest.fixture(params=[closed_pipe, full_pipe, full_disk, device_without_room, closed])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Destination]:
    """Yield one of everything that cannot be written."""
    made: Destination = request.param(tmp_path)
    yield made
    for fd in (made.fd, made.reader):
        if fd is not None:
            with suppress(OSError):
                os.close(fd)


async def launch(service: ServiceProcess, port: int, destination: Destination) -> None:
    """Start `service` with its output sent to `destination`, and wait until its admin port is open."""
    service.admin_port = port
    await service.launch(destination.fd, destination.before)
    os.close(destination.fd)
    await until(partial(listens, port), "its admin port is open")
    await service.probe("readyz", 200)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


async def test_processor_goes_on(
    destination: Destination, redis_url: str, feed: Feed, stored: Stored, services: Services, tmp_path: Path
) -> None:
    """Whatever a handler writes and wherever it goes: all events are settled, SIGTERM drains, and the exit code is 0."""
    (tmp_path / "bot.py").write_text(BOT)
    port = free_port()
    settings = {"REDIS_URL": redis_url, "PROCESSOR_HANDLERS": "bot:handlers", "PROCESSOR_ADMIN_PORT": str(port)}
    await feed.put(EVENTS)
    processor = services.processor(settings | {"PYTHONUNBUFFERED": ""})
    await launch(processor, port, destination)
    await until(lambda: len(stored.dead_letters(PARTITION)) == EVENTS, "all are dead letters")
    assert ((await processor.metrics())[DROPPED] > 0) == destination.counted
    processor.terminate()
    assert await processor.ended() == 0


async def test_ingress_goes_on(destination: Destination, own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """Redis goes away and comes back; all webhooks are answered, and nothing is left in the spool."""
    port, admin_port = free_port(), free_port()
    own = {"INGRESS_PORT": str(port), "INGRESS_ADMIN_PORT": str(admin_port), "INGRESS_WRITE_BUDGET_MS": "200"}
    spool = {} if destination.before else {"INGRESS_SPOOL_PATH": str(tmp_path / "spool.db")}
    ingress = services.ingress(ingress_settings(own_redis.url) | own | spool | {"LOG_LEVEL": "debug"})
    await launch(ingress, admin_port, destination)
    async with aiohttp.ClientSession() as session:
        client = IngressClient(session, port)
        assert await statuses(client) == {200}
        own_redis.kill()
        assert await statuses(client) == {200 if spool else 503}
        own_redis.start()
        await ingress.probe("readyz", 200)
        assert await statuses(client) == {200}
    await until_answer(ingress.metrics, lambda found: found["hookline_spool_events"] == 0, "the spool is empty")
    ingress.terminate()
    assert await ingress.ended() == 0


async def statuses(client: IngressClient) -> set[int]:
    """Deliver webhooks; return the statuses of the answers."""
    return {(await client.post(Twilio().webhook(message()))).status for _ in range(WEBHOOKS)}


@pytest.mark.parametrize("setting", [{"PROCESSOR_CONCURRENCY": "none"}, {"PROCESSOR_HANDLERS": "nowhere:handlers"}])
async def test_start_that_fails(destination: Destination, setting: dict[str, str], services: Services) -> None:
    """A mistake that cannot be told has the same exit code as one that can."""
    processor = services.processor(setting | {"PYTHONUNBUFFERED": ""})
    await processor.launch(destination.fd, destination.before)
    assert await processor.ended() == (2 if "PROCESSOR_CONCURRENCY" in setting else 1)
