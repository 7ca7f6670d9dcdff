"""A spool whose disk takes no writes any more: what was acknowledged reaches Redis all the same."""

import asyncio
import errno
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

import pytest

from hookline_ingress.spool import database, schema
from hookline_ingress.spool.spool import Spool, SpoolError
from hookline_shared.topics import MESSAGES
from tests.support.faults.full_disk import full_disk
from tests.support.faults.small_disk import fill, remount, small_disk
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio, Webhook
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.stored import Stored
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until_answer

TWILIO = Twilio()
DISK_KIB: Final = 1024
WEBHOOKS: Final = 1500
SENDERS: Final = 200

Opener = Callable[[], Awaitable[Spool]]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK_KIB) as folder:
        yield folder


@pytest.fixture
async def opened(disk: Path) -> AsyncIterator[Opener]:
    """Yield an opener of the spool on the small disk. The one before is closed first."""
    made: list[Spool] = []

    async def open_spool() -> Spool:
        for spool in made:
            await spool.close()
        made.append(Spool(disk / "spool.db", 64, ManualClock(), Logbook().logger))
        await made[-1].open()
        return made[-1]

    yield open_spool
    for spool in made:
        await spool.close()


def numbered(number: int) -> Webhook:
    return TWILIO.webhook(message(From=f"+1415555{number % SENDERS:04}", Body=str(number)))


async def ask(ingress: LocalIngress, path: str) -> tuple[int, str]:
    reply = await ingress.admin.request("GET", path, {})
    return reply.status, reply.body.decode()


async def deliver(ingress: LocalIngress, numbers: Sequence[int]) -> list[int]:
    """Deliver the webhooks `numbers`, some at a time; return those that were acknowledged."""
    answers: list[int] = []
    for first in range(0, len(numbers), 20):
        posts = [ingress.client.post(numbered(number)) for number in numbers[first : first + 20]]
        answers += [reply.status for reply in await asyncio.gather(*posts)]
    assert set(answers) <= {200, 503}
    return [number for number, answer in zip(numbers, answers, strict=True) if answer == 200]


def texts_in(server: RedisServer) -> dict[str, list[int]]:
    """Return the texts in Redis by sender, in their order."""
    found: dict[str, list[int]] = {}
    with server.client as client:
        for one in Stored(client).events():
            form = parse_qs(one.body.decode())
            found.setdefault(form["From"][0], []).append(int(form["Body"][0]))
    return found


async def test_full_disk_recovers_by_itself(own_redis: RedisServer, disk: Path) -> None:
    """Redis is away until the disk is full: it is said that webhooks are refused, and why. With Redis all is as before."""
    settings = ingress_settings(own_redis.url) | {"INGRESS_SPOOL_PATH": str(disk / "spool.db")}
    async with running_ingress(settings) as ingress:
        own_redis.kill()
        accepted = await deliver(ingress, range(WEBHOOKS))
        assert 0 < len(accepted) < WEBHOOKS
        status, text = await ask(ingress, "/readyz?verbose")
        assert status == 503
        assert "[-]redis failed: Webhooks are refused with a 503. Redis cannot be reached" in text
        assert "And the spool accepts no more events: database or disk is full" in text
        assert f"[!]webhooks warning: Webhooks are refused with a 503: {WEBHOOKS - len(accepted)} since" in text
        own_redis.start()
        await until_answer(
            lambda: ask(ingress, "/metrics"), lambda answer: "hookline_spool_events 0.0" in answer[1], "the spool is empty"
        )
        later = range(WEBHOOKS, WEBHOOKS + SENDERS)
        assert await deliver(ingress, later) == list(later)
        await until_answer(
            lambda: ask(ingress, "/readyz?verbose"),
            lambda answer: answer[0] == 200 and "[!]spool" not in answer[1],
            "ingress is ready, and its spool is well",
        )
        own_redis.kill()
        assert (await ingress.client.post(numbered(WEBHOOKS + SENDERS))).status == 200, "the spool takes events again"
        own_redis.start()
        await until_answer(
            lambda: ask(ingress, "/metrics"),
            lambda answer: "hookline_spool_events 0.0" in answer[1],
            "the spool is empty again",
        )
    expected: dict[str, list[int]] = {}
    for number in [*accepted, *later, WEBHOOKS + SENDERS]:
        expected.setdefault(f"+1415555{number % SENDERS:04}", []).append(number)
    assert texts_in(own_redis) == expected


async def test_killed_on_a_full_disk(opened: Opener, disk: Path) -> None:
    """A process that is killed on a full disk is started again on it: every event is there, and leaves nothing behind."""
    acknowledged = await killed_child(disk / "spool.db")
    (disk / "spool.db-shm").unlink()  # a crash of the machine takes it, and another program takes its place
    fill(disk)
    spool = await opened()
    assert spool.events >= acknowledged > 0
    await drained(spool)
    assert spool.unremoved == 0
    await spool.put(MESSAGES, event())
    assert spool.events == 1


async def killed_child(path: Path) -> int:
    """Let a process fill the disk with its spool, and kill it; return how many events it acknowledged."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.ingress.spool_child",
        str(path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert child.stdout is not None
    lines = [await child.stdout.readline() for _ in range(5)]
    if child.returncode is None:
        child.send_signal(signal.SIGKILL)
    lines += (await child.stdout.read()).splitlines()
    await child.wait()
    return max(int(line) for line in lines if line.strip())


async def drained(spool: Spool) -> None:
    while some := await spool.oldest(0, 100):
        await spool.remove([one.id for one in some])


async def test_read_only_disk_is_drained(opened: Opener, disk: Path) -> None:
    """A disk that came back read-only is told; its events leave, and are deleted once it can be written again."""
    acknowledged = await killed_child(disk / "spool.db")
    remount(disk, "ro")
    spool = await opened()
    assert "readonly" in str(spool.problem)
    assert spool.events >= acknowledged > 0
    await drained(spool)
    assert (spool.events, spool.unremoved > 0) == (0, True)
    with pytest.raises(SpoolError, match="readonly"):
        await spool.put(MESSAGES, event())
    await spool.close()
    remount(disk, "rw")
    spool = await opened()
    await drained(spool)
    assert (spool.events, spool.unremoved, spool.problem) == (0, 0, None)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
async def test_file_that_cannot_be_replaced(opened: Opener, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """If not even the file can be removed, nothing is lost or sent again, and the next attempt succeeds."""
    spool = await opened()
    await asyncio.gather(*(spool.put(MESSAGES, event()) for _ in range(5)))

    def refuse(_path: Path) -> None:
        raise OSError(code, os.strerror(code))

    with full_disk(), monkeypatch.context() as patch:
        patch.setattr(database, "remove_file", refuse)
        await drained(spool)
        assert (spool.events, spool.unremoved) == (0, 5)
        assert os.strerror(code) in str(spool.problem)
    await spool.tidy()
    assert (spool.unremoved, spool.problem) == (0, None)


async def test_disk_that_others_filled(opened: Opener, disk: Path) -> None:
    """A spool that could not take an event says why, and finds out by itself that there is room again."""
    spool = await opened()
    other = fill(disk)
    with pytest.raises(SpoolError):
        await spool.put(MESSAGES, event())
    await spool.tidy()
    assert (spool.cause, spool.accepting) == ("database or disk is full", False)
    other.unlink()
    await spool.tidy()
    assert (spool.problem, spool.cause, spool.events) == (None, None, 0)


@pytest.mark.parametrize("step", ["remove_companions", "connect"])
async def test_killed_while_the_file_is_replaced(opened: Opener, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Wherever the process dies while an empty file takes the place of a full one, the next one finds a sound, empty spool."""
    spool = await opened()
    await asyncio.gather(*(spool.put(MESSAGES, event()) for _ in range(5)))

    def die(_path: Path) -> None:
        raise SystemError("killed")

    ids = [one.id for one in await spool.oldest(0, 100)]
    with full_disk(), monkeypatch.context() as patch:
        patch.setattr(database, step, die)
        with pytest.raises(SystemError):
            await spool.remove(ids)
    again = await opened()
    assert (again.events, again.problem) == (0, None)
    await again.put(MESSAGES, event())
    assert again.events == 1


async def test_log_of_a_removed_file_is_not_replayed(disk: Path) -> None:
    """The log of a file that is gone belongs to nobody: a new file does not begin with its events."""
    path = disk / "spool.db"
    with closing(schema.connect(path)) as old:
        schema.prepare(old, "hookline", 1 << 20)
        old.execute("INSERT INTO events (dedupe, topic, lane, event) VALUES ('d', 't', 1, 'e')")
        log = path.with_name("spool.db-wal").read_bytes()
    path.unlink()
    path.with_name("spool.db-wal").write_bytes(log)
    with closing(schema.connect(path)) as new:
        assert schema.prepare(new, "hookline", 1 << 20) is None
        assert new.execute("SELECT count(*) FROM events").fetchone() == (0,)


async def test_unreadable_event_on_a_full_disk(opened: Opener, disk: Path) -> None:
    """An event that cannot be decoded holds up nothing, even if there is no room to set it aside; with room it is kept."""
    spool = await opened()
    await asyncio.gather(*(spool.put(MESSAGES, event(key=key)) for key in "abc"))
    with closing(sqlite3.connect(disk / "spool.db")) as other, other:
        other.execute("UPDATE events SET event = x'c1' WHERE id = 2")
    with full_disk():
        await drained(spool)
        assert (spool.events, spool.unreadable) == (0, 1)
    await spool.tidy()
    with closing(sqlite3.connect(disk / "spool.db")) as other:
        assert other.execute("SELECT count(*) FROM unreadable").fetchone() == (1,)
        assert other.execute("SELECT count(*) FROM events").fetchone() == (0,)
