"""Posts alerts to the ALERT_URL, in the form that Slack, Mattermost and many others take.

What gathers while one POST is on its way, or until the next may go, goes together. What cannot be posted now is posted later,
but for what the other side refuses. It all happens in a task of its own, with a bounded queue, so nothing waits for it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from socket import gethostname
from typing import Final, NamedTuple

import aiohttp
import msgspec
from aiohttp_retry import ExponentialRetry, RetryClient
from aiojobs import Job

from hookline_shared.alerts.hysteresis import Change
from hookline_shared.alerts.words import message
from hookline_shared.clock import Clock
from hookline_shared.logs import Logger
from hookline_shared.metrics import ALERT_POSTS
from hookline_shared.service import Supervisor

_MOST: Final = 100
"""Alerts that wait; then the oldest are left out."""
_MOST_TOGETHER: Final = 20
"""Alerts in one POST: each is up to a thousand characters, and Slack takes forty thousand."""
_LATER: Final = frozenset({408, 425, 429})
"""Answers that ask for the same again, later; the other 4xx mean that it will never be taken."""


class Patience(NamedTuple):
    """How a POST is made: seconds for one try, tries in a row, seconds before the second of them, seconds between two POSTs,
    and seconds for all that is left when the service ends."""

    timeout_s: float = 10.0
    tries: int = 4
    first_delay_s: float = 0.5
    pause_s: float = 10.0
    last_s: float = 2.0


class AlertPosts:
    """Posts to `url` for `service`. No log line has the URL, which may be a secret."""

    def __init__(self, url: str, service: str, clock: Clock, logger: Logger, patience: Patience = Patience()) -> None:  # noqa: B008 - a tuple
        self._url = url
        self._service = service
        self._place = service
        self._clock = clock
        self._logger = logger
        self._patience = patience
        self._waiting: deque[Change] = deque()
        self._left_out = 0
        self._filled = asyncio.Event()
        self._failing = False
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor, admin_port: int) -> None:
        """Begin to post; `admin_port` tells people which process of this machine it is."""
        self._place = f"{self._service} {gethostname()}:{admin_port}"
        self._job = await supervisor.spawn("alert posts", self._run())

    async def stop(self) -> None:
        """Post what is left, if that is soon done, and nothing more."""
        if self._job is None:
            return
        await self._job.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience.last_s), self._client() as client:
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
                await self._post(client)
                await self._clock.sleep(self._patience.pause_s)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[RetryClient]:
        timeout = aiohttp.ClientTimeout(total=self._patience.timeout_s)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
            yield RetryClient(session, retry_options=_retries(self._patience))

    async def _post(self, client: RetryClient) -> bool:
        """Post the first of those that wait, together; tells whether they were taken."""
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
        batch = [self._waiting.popleft() for _ in range(min(_MOST_TOGETHER, len(self._waiting)))]
        if not self._waiting:
            self._filled.clear()
        return batch

    async def _try(self, client: RetryClient, batch: list[Change], left_out: int) -> tuple[str | None, bool]:
        """Give what went wrong, None if nothing did, and whether it would go wrong again."""
        headers = {"Content-Type": "application/json"}
        try:
            body = msgspec.json.encode(message(batch, self._place, left_out))
            async with client.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
        except TimeoutError:
            return f"no answer within {self._patience.timeout_s:g} s", False
        except (aiohttp.ClientError, OSError) as error:
            return type(error).__name__, False  # its text may have the URL
        except Exception as error:  # noqa: BLE001 - whatever it is, telling of trouble must not be the end of the service
            return type(error).__name__, True
        taken = 200 <= status < 300  # noqa: PLR2004 - HTTP's own
        return (None if taken else f"the answer was {status}"), status < 500 and status not in _LATER  # noqa: PLR2004

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
                remedy="see that ALERT_URL is right and can be reached from here; until then alerts are only in the log",
            )
        elif self._failing and not problem:
            self._logger.info("alerts can be posted again")
        self._failing = problem is not None


def _retries(patience: Patience) -> ExponentialRetry:
    return ExponentialRetry(
        attempts=patience.tries,
        start_timeout=patience.first_delay_s / 2,  # it doubles before the first pause already
        statuses=set(_LATER),
        exceptions={aiohttp.ClientError, TimeoutError, OSError},
    )
