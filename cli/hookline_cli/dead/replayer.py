"""Replay dead letters at a steady rate: in order within a partition, all partitions concurrently.

Each round takes a few letters of every partition and waits until Redis has confirmed them, so it can stop after any round: the
rest are still dead letters, and a later run continues with them.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from hookline_cli.dead.plan import Plan
from hookline_shared.clock import Clock
from hookline_shared.streams.dead_letters import DeadLetterStreams, Move, Replayed

_ROUND_S: Final = 0.1
"""Approximate length of a round, short so that a stop takes effect soon and the rate is steady."""
_MOST_OF_PARTITION: Final = 100


class Replayer:
    """Replays `plan` at `rate` letters per second, until done or `stop` is set. `outcomes` counts the results."""

    def __init__(self, letters: DeadLetterStreams, plan: Plan, rate: float, clock: Clock, stop: asyncio.Event) -> None:
        self.outcomes: Counter[Replayed] = Counter()
        self._letters = letters
        self._waiting = deque(plan.queues())
        self._rate = rate
        self._clock = clock
        self._stop = stop

    @property
    def left(self) -> int:
        """How many letters have not been processed."""
        return sum(len(queue) for _, queue in self._waiting)

    async def run(self, progress: Callable[[int], None]) -> None:
        """Replay. `progress` is called after each round with the number of letters in it.

        Raises:
            BrokerUnavailableError: if Redis did not confirm a round. Some of it may be replayed.

        """
        begun, done = self._clock.monotonic(), 0
        while self._waiting and not self._stop.is_set():
            number = await self.step(max(1, round(self._rate * _ROUND_S)))
            progress(number)
            done += number
            if self._waiting:
                await self._wait(begun + done / self._rate - self._clock.monotonic())

    async def step(self, most: int) -> int:
        """Replay one round of up to `most` letters; return how many there were.

        Raises:
            BrokerUnavailableError: if Redis did not confirm all of it.

        """
        batches = self._take(most)
        answers = await asyncio.gather(
            *(self._letters.replay(partition, moves) for partition, moves in batches.items()), return_exceptions=True
        )
        failed: BaseException | None = None
        for (partition, moves), answer in zip(batches.items(), answers, strict=True):
            if isinstance(answer, BaseException):
                failed = answer
                self._waiting.append((partition, deque(moves)))  # only for the count: nothing is sent after a failure
            else:
                self.outcomes.update(answer)
        if failed is not None:
            raise failed
        return sum(map(len, batches.values()))

    def _take(self, most: int) -> dict[int, list[Move]]:
        """Take the next letters, from each partition in turn."""
        batches: dict[int, list[Move]] = {}
        for _ in range(min(most, _MOST_OF_PARTITION * len(self._waiting))):
            if not self._waiting or len(batches.get(self._waiting[0][0], ())) >= _MOST_OF_PARTITION:
                break
            partition, queue = self._waiting.popleft()
            batches.setdefault(partition, []).append(queue.popleft())
            if queue:
                self._waiting.append((partition, queue))
        return batches

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stop.wait()
