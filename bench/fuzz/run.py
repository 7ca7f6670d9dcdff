"""A run: cases, a few at a time, and what they found."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

from bench.fuzz.cases import Case, make_case
from bench.fuzz.corpus import Corpus
from bench.fuzz.delivery import Answered, deliver

HANG_S: Final = 1.0
_AT_ONCE: Final = 16
_TRIES: Final = 3
_REPORT_INTERVAL_S: Final = 10.0


class Run:
    """Delivers cases to the ingress on `port`. `report` prints a line; `tidy` is called with it, every ten seconds."""

    def __init__(self, port: int, seed: int, corpus: Corpus, report: Callable[[str], None], tidy: Callable[[], None]) -> None:
        self.requests = self.signed = self.cases = 0
        self.slowest_s = 0.0
        self.statuses: Counter[int] = Counter()
        self.hangs: list[tuple[int, Case]] = []
        self.failures: list[tuple[int, Case]] = []
        self._port = port
        self._seed = seed
        self._corpus = corpus
        self._report = report
        self._tidy = tidy

    async def run(self, requests: int) -> None:
        """Deliver until so many requests were sent."""
        numbers = count()
        reporter = asyncio.create_task(self._report_all())
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_ONCE):
                tasks.create_task(self._deliver_until(requests, numbers))
        reporter.cancel()
        await self._look_again()

    async def _deliver_until(self, requests: int, numbers: Iterator[int]) -> None:
        while self.requests < requests:
            number = next(numbers)
            case = make_case(self._seed, number, self._corpus.cases)
            self.requests += case.requests
            self.signed += case.signed
            self.cases += 1
            self._note(number, case, await deliver(self._port, case, number))

    def _note(self, number: int, case: Case, answered: Answered) -> None:
        self.statuses.update(answered.statuses or [0])
        self.slowest_s = max(self.slowest_s, answered.seconds)
        self._corpus.consider(case, answered)
        if answered.seconds > HANG_S:
            self.hangs.append((number, case))
        if 500 in answered.statuses:
            self.failures.append((number, case))

    async def _look_again(self) -> None:
        """Repeat each case that took too long, alone: on a busy machine the wait may have been this program's."""
        suspects, self.hangs = self.hangs, []
        for number, case in suspects:
            if min([(await deliver(self._port, case, number)).seconds for _ in range(_TRIES)]) > HANG_S:
                self.hangs.append((number, case))

    async def _report_all(self) -> None:
        began = time.perf_counter()
        while True:
            await asyncio.sleep(_REPORT_INTERVAL_S)
            rate = self.requests / (time.perf_counter() - began)
            self._report(
                f"{self.requests:,} requests, {rate:,.0f}/s, slowest {self.slowest_s:.2f} s, {len(self.failures)} failures"
            )
            self._tidy()
