"""Processors that send to a Twilio which loses answers, and are killed meanwhile; and what people got in the end."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from statistics import median

from aiohttp import web

from hookline.testing import FakeTwilio, Fault, losing
from hookline_shared.clock import SystemClock
from hookline_shared.event import Event
from hookline_shared.observability.logs import get_logger
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.redis.options import RedisOptions
from hookline_shared.streams.append import Appender
from hookline_shared.topics import MESSAGES
from tests.acceptance.support.pair import Backend
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.processor.conversations import OURS, incoming
from tests.support.storage.stored import PARTITIONS, Stored

LOST_SHARE = 0.05
_BATCH = 500
_MORE_S = 240.0
"""How long nothing may change before it is given up: longer than the last look for a message."""


class ObservedTwilio(FakeTwilio):
    """A Twilio that remembers when it was asked for the messages to whom: `asked` has monotonic times by number."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, list[float]] = defaultdict(list)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.query["To"]].append(time.monotonic())
        return await super()._list(request)


class LossyTwilio:
    """A Twilio that loses the answers to some requests, and remembers when: `lost` has numbers and monotonic times."""

    def __init__(self, twilio: ObservedTwilio) -> None:
        self.twilio = twilio
        self.lost: list[tuple[str, float]] = []
        choose = losing(LOST_SHARE, Fault.LOST_ANSWER)

        def note(form: Mapping[str, str]) -> Fault:
            fault = choose(form)
            if fault is Fault.LOST_ANSWER:
                self.lost.append((form["To"], time.monotonic()))
            return fault

        twilio.choose = note

    def got(self) -> dict[str, list[str]]:
        """Return the texts that each person got, in order."""
        found: dict[str, list[str]] = defaultdict(list)
        for one in list(self.twilio.messages):
            found[one["to"]].append(one["body"])
        return found

    def seconds_in_doubt(self) -> list[float]:
        """Return how long each doubt took: Twilio lists all that it has, so the first look finds it."""
        later = ((at, [next_at for next_at in self.twilio.asked[to] if next_at > at]) for to, at in self.lost)
        return [times[0] - at for at, times in later if times]

    def report(self, what: str, began: float) -> None:
        """Print what happened since `began`, in monotonic seconds."""
        doubts, took = self.seconds_in_doubt(), time.monotonic() - began
        number = len(self.twilio.messages)
        print(f"\n{what}: {number} messages in {took:.0f} s, {number / took:.0f}/s; {self.twilio.requests} requests")
        print(f"answers lost: {len(self.lost)}; looks: {self.twilio.lists}; doubts resolved in {_of(doubts)}")


def _of(seconds: Sequence[float]) -> str:
    if not seconds:
        return "no time"
    ordered = sorted(seconds)
    return f"{median(ordered):.1f} s (median), {ordered[int(len(ordered) * 0.99)]:.1f} s (p99), {ordered[-1]:.1f} s (longest)"


@asynccontextmanager
async def inbox(backend: Backend) -> AsyncIterator[Appender]:
    """Yield what appends messages to Redis, as ingress does."""
    logger = get_logger("test")
    redis = RedisConnectionManager(RedisOptions(url=backend.url), PARTITIONS, SystemClock(), logger)
    yield Appender(redis, PARTITIONS, 3600, 1_000_000)
    await redis.close()


async def write(appender: Appender, events: Sequence[Event]) -> None:
    """Append messages, each until Redis has confirmed it."""
    for at in range(0, len(events), _BATCH):
        batch = events[at : at + _BATCH]
        while batch:
            results = await appender.append([(MESSAGES, one) for one in batch], 5)
            batch = [one for one, result in zip(batch, results, strict=True) if isinstance(result, Exception)]
            await asyncio.sleep(0.1 if batch else 0)


def number_of(person: int) -> str:
    """Return the telephone number of a person."""
    return f"+1415{5_550_000 + person}"


def text_of(text: str, person: int) -> Event:
    """Return a message of a person."""
    sender = number_of(person)
    return incoming(text, f"{sender}:{OURS}", sender)


def processors(
    backend: Backend, services: Services, twilio: FakeTwilio, handlers: str, **settings: str
) -> list[ServiceProcess]:
    """Return two processors, not yet started, that send to `twilio`."""
    own = {
        "REDIS_URL": backend.url,
        "HOOKLINE_PARTITIONS": str(PARTITIONS),
        "PROCESSOR_HANDLERS": f"tests.acceptance.support.handlers.replying_handlers:{handlers}",
        "PROCESSOR_LEASE_S": "3",
        "TWILIO_TIMEOUT_S": "5",
    }
    return [services.processor(own | twilio.environment | settings) for _ in range(2)]


async def kill_in_turn(running: Sequence[ServiceProcess], every_s: float) -> None:
    """Kill one of the processors every so many seconds, and start it again, until cancelled."""
    for one in cycle(running):
        await asyncio.sleep(every_s)
        await one.kill()
        await one.start()


async def settle(stored: Stored, twilio: LossyTwilio) -> None:
    """Wait until nothing is left in any topic, for as long as something changes."""
    last, changed = (-1, -1, -1), time.monotonic()
    while (left := len(stored.events())) > 0:
        now = (left, twilio.twilio.requests, twilio.twilio.lists)
        if now != last:
            last, changed = now, time.monotonic()
        assert time.monotonic() - changed < _MORE_S, f"{left} events are left, and nothing happens"
        await asyncio.sleep(1)
