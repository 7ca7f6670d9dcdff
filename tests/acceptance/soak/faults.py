"""The faults of the soak, each of which ends before the next begins."""

import asyncio
import random
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.acceptance.support.load import Load
from tests.acceptance.support.pair import Pair
from tests.support.faults.fault_proxy import FaultProxy
from tests.support.processes.command import Command, Result, ended, run
from tests.support.servers.redis_server import RedisServer
from tests.support.time.settable_clock import SettableClock

LONGEST_FAULT_S: Final = 3.0
LONGEST_CALM_S: Final = 3.0
"""Faults and the calm between them last up to so long; what is random here is the test's input, printed with its seed."""
_LONGEST_END_S: Final = 120.0
_HUGE_BYTES: Final = 500_000
_SPOOL_ROOM: Final = 40_000
_CLOCK_STEPS_S: Final = (1800, -1800, 60, -60)
"""Shorter than the dedupe window, which is an hour by the clock of Redis."""
_ERRORS: Final = (
    "LOADING Redis is loading the dataset in memory",
    "READONLY You can't write against a read only replica.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOAUTH Authentication required.",
    "MOVED 1 127.0.0.1:1",
)

Fault = Callable[[], Awaitable[None]]


class FaultInjector:
    """Injects one random fault after the other. `long` faults start processes, and take some seconds each."""

    def __init__(
        self,
        pair: Pair,
        proxy: FaultProxy,
        server: RedisServer,
        clock: SettableClock | None,
        command: Command,
        seed: int,
        *,
        long: bool,
    ) -> None:
        self._pair = pair
        self._proxy = proxy
        self._server = server
        self._clock = clock
        self._command = command
        self._random = random.Random(seed)
        self._mood = Path(f"{pair.record}.mood")
        network: list[Fault] = [self.slow, self.stall, self.cut, self.refuse, self.half_open, self.truncate, self.error]
        others: list[Fault] = [
            self.pause, self.crash, self.full_disk, self.huge, self.away, self.surprise, self.fork, self.unread_log,
        ]  # fmt: skip
        others += [self.redis_clock] if clock is not None else []
        processes: list[Fault] = [self.hold, self.later, self.unhandled, self.kill, self.restart]
        self._faults = network + others + (processes if long else [])
        self.made: list[str] = []
        self.delivered: list[str] = []

    async def make(self, duration_s: float) -> None:
        """Make faults for `duration_s` seconds."""
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            await asyncio.sleep(self._random.uniform(0.2, LONGEST_CALM_S))
            fault = self._random.choice(self._faults)
            self.made.append(fault.__name__)
            await fault()
            self._proxy.heal()

    async def end_waiting(self) -> None:
        """Let everything that waits be attempted, until nothing is left."""
        try:
            async with asyncio.timeout(_LONGEST_END_S):
                while await self._pair.spooled() or not self._pair.settled():
                    await self._retry_now()
        except TimeoutError:
            found = await asyncio.to_thread(self._ended, "status")
            raise AssertionError(f"{await self._pair.spooled()} in the spool, and {found.out}{found.err}") from None

    async def last(self) -> None:
        await asyncio.sleep(self._random.uniform(0.1, LONGEST_FAULT_S))

    async def slow(self) -> None:
        self._proxy.delay(self._random.uniform(0.05, 0.6))
        await self.last()

    async def stall(self) -> None:
        self._proxy.stall()
        await self.last()

    async def cut(self) -> None:
        self._proxy.cut()

    async def refuse(self) -> None:
        self._proxy.refuse()
        await self.last()

    async def half_open(self) -> None:
        self._proxy.half_open()

    async def truncate(self) -> None:
        self._proxy.truncate(self._random.randrange(1, 40))
        await self.last()

    async def error(self) -> None:
        self._proxy.answer(self._random.choice(_ERRORS), {"EVALSHA", "EVAL", "XREADGROUP", "HMGET", "LPUSHX"})
        await self.last()

    async def pause(self) -> None:
        self._server.pause()
        await self.last()
        self._server.resume()

    async def crash(self) -> None:
        self._server.kill()
        await self.last()
        await asyncio.to_thread(self._server.start)

    async def redis_clock(self) -> None:
        assert self._clock is not None
        self._clock.set_ahead(self._random.choice(_CLOCK_STEPS_S))
        await self.last()
        self._clock.set_ahead(0)

    async def full_disk(self) -> None:
        """Redis is away, and the disk of the spool soon full."""
        pid, spool = self._pair.ingress.pid, self._pair.record.with_name("spool.db")
        largest = max(file.stat().st_size for file in spool.parent.glob("spool.db*"))
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest + _SPOOL_ROOM, hard))
        self._proxy.stall()
        await self.last()
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

    async def huge(self) -> None:
        """Some senders send what is large."""
        prefix = f"+1{len(self.made):07d}"
        load = Load(self._pair, senders=5, each=4, prefix=prefix, size=_HUGE_BYTES)
        await load.run()
        self.delivered += load.acknowledged

    async def away(self) -> None:
        async with self._in_mood("away"):
            await self.last()

    async def surprise(self) -> None:
        async with self._in_mood("surprise"):
            await self.last()

    async def fork(self) -> None:
        async with self._in_mood("fork"):
            await self.last()

    async def unread_log(self) -> None:
        """Nobody reads what the processor writes, which is much."""
        async with self._in_mood("chatter"), self._pair.processor.unread():
            await self.last()

    async def hold(self) -> None:
        """An operator pauses all messages, and resumes them."""
        paused = (await run(self._command, "pause", "--topic", "messages", "--why", "soak", "--json")).json
        await self.last()
        await run(self._command, "resume", paused["id"])

    async def later(self) -> None:
        """Events are put off by hours, until an operator wants them attempted."""
        async with self._in_mood("later"):
            await self.last()
        await self._retry_now()

    async def unhandled(self) -> None:
        """A version without a handler is in service for a while."""
        await self._restart_with("nothing")
        await self.last()
        await self._restart_with("messages")

    async def kill(self) -> None:
        """A service dies, and starts again."""
        service = self._random.choice([self._pair.ingress, self._pair.processor])
        await service.kill()
        await self.last()
        await service.start()

    async def restart(self) -> None:
        """A service is replaced, as a deployment does."""
        service = self._random.choice([self._pair.ingress, self._pair.processor])
        await service.restart()

    async def _restart_with(self, handled: str) -> None:
        self._pair.processor.configure({"HOOKLINE_TEST_HANDLES": handled})
        await self._pair.processor.restart()

    async def _retry_now(self) -> None:
        result = await asyncio.to_thread(self._ended, "retry", "now", "--all", "--yes")
        assert result.code in (0, 1), result  # 1 if none of them waits any more

    def _ended(self, *words: str) -> Result:
        with self._command.started(*words) as process:
            return ended(process)

    @asynccontextmanager
    async def _in_mood(self, mood: str) -> AsyncIterator[None]:
        self._mood.write_text(mood)
        yield
        self._mood.unlink()
