"""Send webhooks: one, or many at a rate and concurrently."""

import asyncio
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from math import ceil
from typing import Final, NamedTuple

import aiohttp
from yarl import URL

from hookline_cli.signing import WebhookRequest
from hookline_shared.clock import Clock

TIMEOUT_S: Final = 15.0
"""The time-out of Twilio."""
NO_ANSWER: Final = "no answer"
NO_CONNECTION: Final = "no connection"
_PERCENTILES: Final = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}


class LoadPlan(NamedTuple):
    """The number of webhooks, the rate per second (0: no limit), and the maximum number of concurrent requests."""

    times: int = 1
    rate: float = 0.0
    concurrency: int = 1


class LoadOutcome:
    """The answers so far: the count of each status, or of each reason why there was none. `last` is the body of the last
    answer, or the reason why there was no connection."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.seconds = 0.0
        self.last = ""
        self._latencies = array("d")

    @property
    def sent(self) -> int:
        """How many have been sent."""
        return self.answers.total()

    @property
    def accepted(self) -> int:
        """How many were answered with a 2xx."""
        return sum(count for answer, count in self.answers.items() if answer.startswith("2"))

    @property
    def rate(self) -> float:
        """How many were sent per second."""
        return self.sent / self.seconds if self.seconds else 0.0

    def note(self, answer: str, latency_s: float) -> None:
        """Count one; the latency is included if there was an answer."""
        self.answers[answer] += 1
        if answer.isdecimal():
            self._latencies.append(latency_s)

    def latencies_ms(self) -> Mapping[str, float]:
        """Return p50, p95, p99 and max, each a measured latency (nearest rank); empty without answers."""
        ordered = sorted(self._latencies)
        if not ordered:
            return {}
        return {name: 1000 * ordered[max(0, ceil(share * len(ordered)) - 1)] for name, share in _PERCENTILES.items()}


class LoadGenerator:
    """Sends the results of `make` for the numbers from 0 on, to `base` instead of `signed_base`, for which they are signed."""

    def __init__(
        self,
        make: Callable[[int], WebhookRequest],
        signed_base: str,
        base: str,
        clock: Clock,
        sent: Callable[[LoadOutcome], None],
    ) -> None:
        self.outcome = LoadOutcome()
        self._make = make
        self._signed_base = signed_base
        self._base = base
        self._clock = clock
        self._sent = sent

    async def run(self, plan: LoadPlan) -> None:
        """Send all; `outcome` is updated meanwhile. If there is no connection for the first one, stop.

        With a rate, the latency of a webhook is measured from when it was due, so that waiting for a connection counts.
        """
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=plan.concurrency)
        began = self._clock.monotonic()
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, auto_decompress=False) as session:
            due = self._due_times(plan, began)
            try:
                await self._send_next(session, due)
                if self.outcome.answers[NO_CONNECTION]:
                    return
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(plan.concurrency, plan.times)):
                        group.create_task(self._send_all(session, due))
            finally:
                self.outcome.seconds = self._clock.monotonic() - began

    def _due_times(self, plan: LoadPlan, began: float) -> Iterator[tuple[int, float | None]]:
        """Yield each number and when it is due, None for at once."""
        for number in range(plan.times):
            yield number, began + number / plan.rate if plan.rate else None

    async def _send_all(self, session: aiohttp.ClientSession, due: Iterator[tuple[int, float | None]]) -> None:
        while await self._send_next(session, due):
            pass

    async def _send_next(self, session: aiohttp.ClientSession, due: Iterator[tuple[int, float | None]]) -> bool:
        """Send the next one when it is due; return whether there was one."""
        number, at = next(due, (-1, None))
        if number < 0:
            return False
        request = self._make(number)
        if at is not None and (early_s := at - self._clock.monotonic()) > 0:
            await self._clock.sleep(early_s)
        started = self._clock.monotonic() if at is None else at
        answer = await self._post(session, request)
        self.outcome.note(answer, self._clock.monotonic() - started)
        self._sent(self.outcome)
        return True

    async def _post(self, session: aiohttp.ClientSession, request: WebhookRequest) -> str:
        url = URL(self._base + request.url.removeprefix(self._signed_base), encoded=True)
        try:
            async with session.post(url, data=request.body, headers=request.headers, allow_redirects=False) as response:
                self.outcome.last = await response.text(errors="replace")
                return str(response.status)
        except (TimeoutError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError):
            return NO_ANSWER
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            self.outcome.last = str(error)
            return NO_CONNECTION
