"""Posts alerts to ALERT_URL, in the format of Slack, PagerDuty, or a plain one.

Alerts that arrive during a POST, or in the pause after it, go into the next one together. A POST that fails is repeated later,
unless the receiver rejects it for good. This runs in a task of its own with a bounded queue, so that nothing waits for it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from socket import gethostname
from typing import Final, NamedTuple

import aiohttp
import msgspec
from aiohttp_retry import ExponentialRetry, RetryClient
from aiojobs import Job

from hookline_shared.alerts.formats import body_of, format_of
from hookline_shared.alerts.hysteresis import Change
from hookline_shared.alerts.settings import AlertSettings
from hookline_shared.clock import Clock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.observability.metrics import ALERT_POSTS

_MOST: Final = 100
"""Alerts in the queue; beyond it the oldest are left out."""
_LATER: Final = frozenset({408, 425, 429})
"""Status codes that ask for a retry; any other 4xx means that the receiver will never accept it."""


class DeliveryPolicy(NamedTuple):
    """The delivery policy: the time limit of one try, the tries in a row, the delay before the second, the pause between two
    POSTs, and the time limit for what is left when the service stops. Times are in seconds."""

    timeout_s: float = 10.0
    tries: int = 4
    first_delay_s: float = 0.5
    pause_s: float = 10.0
    last_s: float = 2.0


_POLICY: Final = DeliveryPolicy()


class Notifier:
    """Posts to the URL of `settings` for `service`. The URL may be a secret, so no log line has it."""

    def __init__(
        self, settings: AlertSettings, service: str, clock: Clock, logger: Logger, policy: DeliveryPolicy = _POLICY
    ) -> None:
        self._url = settings.url or ""
        self._routing_key = settings.routing_key
        self._format = format_of(self._url, settings.format)
        self._service = service
        self._place = service
        self._clock = clock
        self._logger = logger
        self._policy = policy
        self._waiting: deque[Change] = deque()
        self._left_out = 0
        self._filled = asyncio.Event()
        self._failing = False
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor, admin_port: int) -> None:
        """Start posting. `admin_port` identifies this process among those of the machine."""
        self._place = f"{self._service} {gethostname()}:{admin_port}"
        self._job = await supervisor.spawn("alert posts", self._run())

    async def stop(self) -> None:
        """Post what is left, within the time limit for it, then stop."""
        if self._job is None:
            return
        await self._job.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._policy.last_s), self._client() as client:
                while self._waiting and await self._post(client):
                    pass

    def put(self, change: Change) -> None:
        """Queue `change`."""
        self._waiting.append(change)
        self._bound()
        self._filled.set()

    async def _run(self) -> None:
        async with self._client() as client:
            while True:
                await self._filled.wait()
                accepted = await self._post(client)
                if not accepted or not self._waiting or self._format.most_together > 1:
                    await self._clock.sleep(self._policy.pause_s)

    async def post_now(self, changes: Iterable[Change], place: str) -> str | None:
        """Post `changes` of `place` without a queue. Return what went wrong, None if the receiver accepted everything."""
        self._place = place
        async with self._client() as client:
            for change in changes:
                problem, _ = await self._try(client, [change], 0)
                if problem:
                    return problem
        return None

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[RetryClient]:
        timeout = aiohttp.ClientTimeout(total=self._policy.timeout_s)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
            yield RetryClient(session, retry_options=_retries(self._policy))

    async def _post(self, client: RetryClient) -> bool:
        """Post the first alerts of the queue together. Return whether the receiver accepted them."""
        batch, left_out = self._first(), self._left_out
        try:
            problem, lasting = await self._try(client, batch, left_out)
        except asyncio.CancelledError:
            self._put_back(batch)
            raise
        if problem is None:
            self._left_out -= left_out
            ALERT_POSTS.labels("sent").inc(len(batch))
        else:
            ALERT_POSTS.labels("failed").inc(len(batch))
            if not lasting:
                self._put_back(batch)
        self._note(problem)
        return problem is None

    def _first(self) -> list[Change]:
        batch = [self._waiting.popleft() for _ in range(min(self._format.most_together, len(self._waiting)))]
        if not self._waiting:
            self._filled.clear()
        return batch

    async def _try(self, client: RetryClient, batch: list[Change], left_out: int) -> tuple[str | None, bool]:
        """Return what went wrong, None if nothing did, and whether a retry would fail in the same way."""
        headers = {"Content-Type": "application/json"}
        try:
            body = msgspec.json.encode(body_of(self._format, batch, self._place, left_out, self._routing_key))
            async with client.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
        except TimeoutError:
            return f"no response within {self._policy.timeout_s:g} s", False
        except (aiohttp.ClientError, OSError) as error:
            return type(error).__name__, False  # its text may contain the URL
        except Exception as error:  # noqa: BLE001 - reporting trouble must never stop the service
            return type(error).__name__, True
        taken = 200 <= status < 300  # noqa: PLR2004 - HTTP's own
        return (None if taken else f"the response was {status}"), status < 500 and status not in _LATER  # noqa: PLR2004

    def _put_back(self, batch: list[Change]) -> None:
        self._waiting.extendleft(reversed(batch))
        self._bound()
        self._filled.set()

    def _bound(self) -> None:
        while len(self._waiting) > _MOST:
            self._waiting.popleft()
            self._left_out += 1
            ALERT_POSTS.labels("left_out").inc()

    def _note(self, problem: str | None) -> None:
        if problem and not self._failing:
            self._logger.warning(
                "alerts cannot be posted",
                error=problem,
                remedy="check that ALERT_URL is right and can be reached from here; until then alerts are only in the log",
            )
        elif self._failing and not problem:
            self._logger.info("alerts can be posted again")
        self._failing = problem is not None


def _retries(policy: DeliveryPolicy) -> ExponentialRetry:
    return ExponentialRetry(
        attempts=policy.tries,
        start_timeout=policy.first_delay_s / 2,  # the library doubles it before the first pause
        statuses=set(_LATER),
        exceptions={aiohttp.ClientError, TimeoutError, OSError},
    )
