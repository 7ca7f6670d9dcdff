"""The rate limit of verified senders, whose excess events go to the topic bulk; and the exchange of all limits.

Decisions use the counts of this process alone, since no request waits for Redis. Twice a second the counts are exchanged with
the other processes through Redis. While Redis is down, each process continues with its own counts.
"""

from collections.abc import Sequence
from typing import Final

from aiojobs import Job

from hookline_ingress.limits.addresses import GenuineAddresses
from hookline_ingress.limits.rates import Meter, Meters, Rate
from hookline_ingress.metrics import LIMITS_SHARED
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.streams.limits.rate_limits import Answers, SharedLimits, Usage

MOST_KEYS: Final = 4096
"""The number of keys that are counted, the most recently used ones: heavy senders are among them. Each takes 300 bytes."""
_EXCHANGE_INTERVAL_S: Final = 0.5
_EXCHANGES_PER_TIDYING: Final = 20
_MOST_BURSTS: Final = 2.0


class SenderLimit:
    """Counts the events of verified senders. `rate` is the limit of one sender, unless its route has another."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._now = clock.monotonic
        self.meters = Meters(MOST_KEYS)

    def demotes(self, account: str, sender: str, rate: Rate | None = None) -> bool:
        """Count one event of `sender`; return whether it goes to the topic bulk.

        A `rate` of a route has its own bucket: in a bucket that two rates share, the first one to be used would apply.
        """
        applied = rate or self._rate
        if not applied.per_second or not sender:
            return False
        key = f"{account}:{sender}" if rate is None else f"{account}:{sender}:{rate.per_second:g}:{rate.burst}"
        return self.meters.take(key, applied, self._now())


class LimitExchange:
    """Exchanges the counts of `meters`, and the addresses that are `genuine`, with the other processes."""

    def __init__(
        self,
        meters: Sequence[tuple[SharedLimits, Meters]],
        genuine: GenuineAddresses,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._meters = meters
        self._genuine = genuine
        self._clock = clock
        self._logger = logger
        self._shared = True
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to exchange."""
        LIMITS_SHARED.set(self._shared)  # until an exchange fails
        self._job = await supervisor.spawn("exchange of limits", self._run())

    async def stop(self) -> None:
        """Stop."""
        if self._job is not None:
            await self._job.close()

    async def _run(self) -> None:
        while True:
            for _ in range(_EXCHANGES_PER_TIDYING):
                await self.exchange()
                await self._clock.sleep(_EXCHANGE_INTERVAL_S)
            for _, meters in self._meters:
                meters.forget_idle(self._clock.monotonic())

    async def exchange(self) -> None:
        """Send the counts and genuine addresses since the last exchange, and adopt those of all processes together."""
        answers = [answer for limits, meters in self._meters for answer in await self._exchange(limits, meters)]
        answers += await self._genuine.exchange()
        if answers:  # without any, nothing was sent, and the state of Redis is unknown
            self._note(next((answer for answer in answers if isinstance(answer, BrokerUnavailableError)), None))

    async def _exchange(self, limits: SharedLimits, meters: Meters) -> Answers:
        """Exchange one kind of limits; return the answers, none if there was nothing to send."""
        due = meters.due()
        if not due:
            return []
        usages = [_usage(key, meter) for key, meter in due.items()]
        answers = await limits.exchange(usages)
        now = self._clock.monotonic()
        for one, meter, answer in zip(usages, due.values(), answers, strict=True):
            if isinstance(answer, BrokerUnavailableError):
                meters.put_back(one.key, meter, now)
            else:
                meter.taken -= one.events
                meter.adopt(answer + meter.taken, now)
        return answers

    def _note(self, problem: BrokerUnavailableError | None) -> None:
        if self._shared and problem:
            self._logger.warning("rate limits are counted by this process alone", error=str(problem))
        elif not self._shared and not problem:
            self._logger.info("rate limits are shared again")
        self._shared = problem is None
        LIMITS_SHARED.set(self._shared)


def _usage(key: str, meter: Meter) -> Usage:
    return Usage(key, meter.rate.per_second, _MOST_BURSTS * meter.rate.burst, meter.taken)
