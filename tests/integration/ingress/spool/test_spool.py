"""The spool on real files: what was acknowledged is there, and what goes wrong with a disk is reported and repaired."""

import asyncio
import signal
import sqlite3
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from hookline_ingress.spool.database import NewEntry, SpoolFile
from hookline_ingress.spool.spool import Spool, SpoolError
from hookline_shared.event import Event
from hookline_shared.topics import MESSAGES, STATUSES
from tests.support.faults.full_disk import full_disk
from tests.support.ingress.spools import Opener
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event
from tests.support.time.manual_clock import ManualClock

KIB: Final = 1 << 10

MIB: Final = 1 << 20


async def contents(spool: Spool) -> list[Event]:
    """Read all that is there, oldest first."""
    found: list[Event] = []
    last = 0
    while some := await spool.oldest(last, 100):
        last = some[-1].id
        found += [one.event for one in some]
    return found


async def emptied(spool: Spool) -> None:
    while some := await spool.oldest(0, 100):
        await spool.remove([one.id for one in some])


def record_commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that the size of every group commit is added to."""
    sizes: list[int] = []
    commit = SpoolFile.commit

    def noted(self: SpoolFile, puts: Sequence[NewEntry]) -> list[int | Exception]:
        sizes.append(len(puts))
        return commit(self, puts)

    monkeypatch.setattr(SpoolFile, "commit", noted)
    return sizes


async def test_what_gathers_is_committed_together(opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five hundred events at once take a few commits, and each is on disk before it is acknowledged; their order stays."""
    commits = record_commits(monkeypatch)
    spool = await opened()
    events = [event(key=f"key{number % 7}") for number in range(500)]
    early: list[str] = []
    with closing(sqlite3.connect(path)) as reader:

        def check(dedupe_key: str) -> None:
            if not reader.execute("SELECT 1 FROM events WHERE dedupe = ?", (dedupe_key,)).fetchone():
                early.append(dedupe_key)

        async def put(one: Event) -> None:
            await spool.put(MESSAGES, one)
            check(one.dedupe_key)

        await asyncio.gather(*map(put, events))
    assert early == []
    assert sum(commits) == 500
    assert len(commits) <= 3
    assert await contents(spool) == events
    assert spool.events == 500


async def test_acknowledged_events_survive_a_kill(opened: Opener, path: Path) -> None:
    """Whenever the process is killed, every event that it acknowledged is in the file, in the order in which they came."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.ingress.spool_child", str(path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    lines = [await child.stdout.readline() for _ in range(15)]
    child.send_signal(signal.SIGKILL)
    lines += (await child.stdout.read()).splitlines()
    await child.wait()
    found = [int(one.dedupe_key) for one in await contents(await opened())]
    assert found == list(range(len(found)))
    assert len(found) >= int(lines[-1]) >= 300


async def test_same_webhook_again_is_one_event(opened: Opener) -> None:
    """A delivery repeated while the first one is here is acknowledged, kept once, and leaves nothing behind."""
    spool = await opened()
    one = event("same", key="k")
    await asyncio.gather(*(spool.put(MESSAGES, one) for _ in range(3)))
    await spool.put(MESSAGES, event("same", key="k"))
    assert await contents(spool) == [one]
    assert (spool.events, spool.holds(MESSAGES, "k"), spool.holds(STATUSES, "k")) == (1, True, False)
    await emptied(spool)
    assert (spool.events, spool.bytes, spool.holds(MESSAGES, "k")) == (0, 0, False)


async def test_full_spool_refuses_and_takes_again(opened: Opener, path: Path, logbook: Logbook) -> None:
    """At its size limit it says so and acknowledges only what is kept. What is drained makes room, also on the disk."""
    spool = await opened(max_mb=1)
    events = [event(body=b"x" * 20 * KIB) for _ in range(100)]
    results = await asyncio.gather(*(spool.put(MESSAGES, one) for one in events), return_exceptions=True)
    refused = [result for result in results if result is not None]
    assert 40 < results.count(None) < 52
    assert {type(result) for result in refused} == {SpoolError}
    assert "full" in str(refused[0])
    assert await contents(spool) == [one for one, result in zip(events, results, strict=True) if result is None]
    assert spool.events == results.count(None)
    assert spool.fill > 0.9
    assert str(path) in str(spool.problem)
    assert logbook.find("the spool accepts no more events")
    await emptied(spool)
    assert (spool.problem, spool.fill < 0.1) == (None, True)
    assert size_of(path) < 50 * KIB
    for _ in range(3):
        await asyncio.gather(*(spool.put(MESSAGES, event(body=b"x" * 20 * KIB)) for _ in range(35)))
        await emptied(spool)


def size_of(path: Path) -> int:
    return path.stat().st_size


async def test_large_event_costs_the_small_ones_nothing(opened: Opener, clock: ManualClock) -> None:
    """Of what gathers in one commit, only that is refused which finds no room, or cannot be kept at all."""
    spool = await opened(max_mb=1)
    small = [event() for _ in range(20)]
    large, impossible = event(body=b"x" * 2 * MIB), impossible_event()
    mixed = [*small[:10], large, impossible, *small[10:]]
    results = await asyncio.gather(*(spool.put(MESSAGES, one) for one in mixed), return_exceptions=True)
    assert [type(result) for result in results] == [*[type(None)] * 10, SpoolError, SpoolError, *[type(None)] * 10]
    assert await contents(spool) == small
    assert (spool.events, spool.accepting) == (20, False)
    await clock.advance(5)
    assert (spool.problem is None, spool.accepting) == (False, True), "nobody sent another one, so only a try can tell"
    await spool.put(MESSAGES, event())
    assert not spool.problem


def impossible_event() -> Event:
    """Return an event that has no UTF-8 form."""
    return Event(id="1", kind="k", key="k", dedupe_key="d", received_at=1, target="/", body=b"", signer="\udcff")


async def test_full_disk_refuses_and_loses_nothing(opened: Opener) -> None:
    """Without room on the disk nothing more is acknowledged. What Redis has leaves all the same, and is deleted later."""
    spool = await opened()
    before, after = [event() for _ in range(3)], [event() for _ in range(3)]
    await spool.put(MESSAGES, event(key="delivered"))
    (delivered,) = await spool.oldest(0, 100)
    await asyncio.gather(*(spool.put(MESSAGES, one) for one in before))
    with full_disk():
        results = await asyncio.gather(*(spool.put(MESSAGES, event()) for _ in range(5)), return_exceptions=True)
        assert {type(result) for result in results} == {SpoolError}
        await spool.remove([delivered.id])
        assert await contents(spool) == before
        assert (spool.events, spool.unremoved, spool.holds(MESSAGES, "delivered")) == (3, 1, False)
        assert spool.problem
    await asyncio.gather(*(spool.put(MESSAGES, one) for one in after))
    assert await contents(spool) == [*before, *after]
    await spool.tidy()
    assert (spool.events, spool.unremoved) == (6, 0)


async def test_slow_disk_does_not_fill_the_memory(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk hangs, what waits for it is bounded; the rest is refused at once. What waited is kept once it goes on."""
    spool = await opened()
    goes_on = threading.Event()
    commit = SpoolFile.commit
    monkeypatch.setattr(SpoolFile, "commit", lambda self, puts: goes_on.wait() and commit(self, puts))
    monkeypatch.setattr("hookline_ingress.spool.spool._MOST_UNWRITTEN", MIB)
    puts = [spool.put(MESSAGES, event(key="k", body=b"x" * 100 * KIB)) for _ in range(20)]
    refused = [put for put in puts if put.done()]
    assert len(refused) == 10
    assert "too slow" in str(refused[0].exception())
    assert spool.holds(MESSAGES, "k")
    goes_on.set()
    results = await asyncio.gather(*puts, return_exceptions=True)
    assert results.count(None) == len(puts) - len(refused) == spool.events
    await spool.put(MESSAGES, event())
    assert spool.problem is None
    await emptied(spool)
    assert not spool.holds(MESSAGES, "k")


async def test_unforeseen_failure_answers_everybody(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a commit fails with, its callers get the error, and the next one is tried."""
    spool = await opened()
    with monkeypatch.context() as patch:
        patch.setattr(SpoolFile, "commit", lambda _self, _puts: 1 / 0)
        results = await asyncio.gather(*(spool.put(MESSAGES, event()) for _ in range(3)), return_exceptions=True)
    assert {type(result) for result in results} == {SpoolError}
    await spool.put(MESSAGES, event())
    assert spool.events == 1


async def test_close_keeps_what_waits(opened: Opener, path: Path) -> None:
    """Closing while writes wait finishes them; later ones are refused instead of hanging."""
    spool = Spool(path, 64, ManualClock(), Logbook().logger)
    await spool.open()
    events = [event() for _ in range(50)]
    puts = [spool.put(MESSAGES, one) for one in events]
    await spool.close()
    assert [put.done() and put.exception() for put in puts] == [None] * 50
    with pytest.raises(SpoolError):
        await spool.put(MESSAGES, event())
    assert await contents(await opened()) == events


async def test_events_of_another_installation_are_left_alone(opened: Opener, path: Path) -> None:
    """What one installation accepted is not delivered to another that happens to use its file; an empty file is anybody's."""
    first = await opened()
    await first.put(MESSAGES, event())
    await first.close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM owner")  # as versions that knew no prefix left it
    stranger = Spool(path, 64, ManualClock(), Logbook().logger, "staging")
    with pytest.raises(SpoolError, match="events of the installation with HOOKLINE_PREFIX=hookline, which must deliver them"):
        await stranger.open()
    await stranger.close()
    again = await opened()
    await emptied(again)
    await again.close()
    assert (await opened(prefix="staging")).events == 0


async def test_unreadable_event_is_set_aside(opened: Opener, path: Path, logbook: Logbook) -> None:
    """An event that cannot be decoded holds up nothing, is reported, and is kept where somebody can look at it."""
    spool = await opened()
    events = [event(key="a"), event(key="b"), event(key="c")]
    await asyncio.gather(*(spool.put(MESSAGES, one) for one in events))
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE events SET event = x'c1' || substr(event, 2) WHERE id = 2")
    assert await contents(spool) == [events[0], events[2]]
    assert (spool.events, spool.unreadable, spool.holds(MESSAGES, "b")) == (2, 1, False)
    line = logbook.find("unreadable events in the spool were set aside")
    assert line is not None
    assert line["level"] == "error"
    await emptied(spool)
    assert (spool.events, spool.bytes) == (0, 0)
    await spool.close()
    again = await opened()
    assert (again.events, again.unreadable) == (0, 1)
    with closing(sqlite3.connect(path)) as other:
        ((dedupe_key, reason),) = other.execute("SELECT dedupe, reason FROM unreadable").fetchall()
    assert (dedupe_key, bool(reason)) == (events[1].dedupe_key, True)
