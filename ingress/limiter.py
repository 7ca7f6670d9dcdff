"""Who sends too much: verified senders, who are demoted to the bulk topic, and addresses whose requests do not verify.

Decisions are made from what this process knows, since nobody waits for Redis on the way of a request; twice a second, what was
counted is exchanged with the other processes through Redis. Without Redis each goes on with its own counts.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from aiojobs import Job

from ingress.metrics import LIMITS_SHARED
from ingress.rates import Meter, Meters, Rate
from shared.broker.limits import SharedLimits, Taken
from shared.clock import Clock
from shared.errors import BrokerUnavailableError
from shared.logs import Logger
from shared.service import Supervisor

_MOST_KEYS: Final = 10_000
_EXCHANGE_INTERVAL_S: Final = 0.5
_EXCHANGES_PER_TIDYING: Final = 20
_GENUINE_S: Final = 600.0
_MOST_BURSTS: Final = 2.0


class SenderLimit:
    """Counts the events of verified senders. `rate` is what one may send unless its route says otherwise."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self.meters = Meters(_MOST_KEYS)

    def demotes(self, account: str, sender: str, rate: Rate | None = None) -> bool:
        """Count one event of `sender`; tells whether it is to wait behind those of others."""
        rate = rate or self._rate
        if not rate.per_second or not sender:
            return False
        return self.meters.take(f"{account}:{sender}", rate, self._clock.monotonic())


class AddressLimit:
    """Counts the requests of addresses that do not verify.

    An address that lately sent one that does is never blocked: it is Twilio's, or that of a proxy in front of ingress, and
    blocking it would block Twilio.
    """

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._genuine: OrderedDict[str, float] = OrderedDict()
        self.meters = Meters(_MOST_KEYS)

    def blocks(self, address: str) -> bool:
        """Tell whether requests from `address` are turned away unread."""
        meter = self.meters.get(address)
        if meter is None or not meter.above:
            return False
        now = self._clock.monotonic()
        return meter.level(now) > 0 and not self._is_genuine(address, now)

    def refused(self, address: str) -> None:
        """Count a request from `address` that did not verify."""
        if self._rate.per_second and address:
            self.meters.take(address, self._rate, self._clock.monotonic())

    def verified(self, address: str) -> None:
        """Take note that a request from `address` verified."""
        genuine = self._genuine
        if address not in genuine and len(genuine) >= _MOST_KEYS:
            genuine.popitem(last=False)
        genuine[address] = self._clock.monotonic()

    def _is_genuine(self, address: str, now: float) -> bool:
        return now - self._genuine.get(address, -_GENUINE_S) < _GENUINE_S


class LimitExchange:
    """Exchanges what `meters` counted with the other processes."""

    def __init__(self, meters: Sequence[tuple[SharedLimits, Meters]], clock: Clock, logger: Logger) -> None:
        self._meters = meters
        self._clock = clock
        self._logger = logger
        self._shared = True
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to exchange."""
        self._job = await supervisor.spawn("exchange of limits", self._run())

    async def stop(self) -> None:
        """Stop."""
        if self._job is not None:
            await self._job.close()

    async def _run(self) -> None:
        while True:
            for _ in range(_EXCHANGES_PER_TIDYING):
                await self._clock.sleep(_EXCHANGE_INTERVAL_S)
                await self.exchange()
            for _, meters in self._meters:
                meters.forget_idle(self._clock.monotonic())

    async def exchange(self) -> None:
        """Send what was counted since the last time, and adopt the levels that all processes make together."""
        problems = [await self._exchange(limits, meters) for limits, meters in self._meters]
        self._note(next((problem for problem in problems if problem), None))

    async def _exchange(self, limits: SharedLimits, meters: Meters) -> str | None:
        """Exchange one kind of limits; gives the problem, if there was one."""
        due = meters.due()
        if not due:
            return None
        told = [_told(key, meter) for key, meter in due.items()]
        answers = await limits.exchange(told)
        now = self._clock.monotonic()
        problem = None
        for one, meter, answer in zip(told, due.values(), answers, strict=True):
            if isinstance(answer, BrokerUnavailableError):
                meters.still_due(one.key, meter)
                problem = str(answer)
            else:
                meter.taken -= one.events
                meter.adopt(answer + meter.taken, now)
        return problem

    def _note(self, problem: str | None) -> None:
        if self._shared and problem:
            self._logger.warning("rate limits are counted by this process alone", error=problem)
        elif not self._shared and not problem:
            self._logger.info("rate limits are shared again")
        self._shared = not problem
        LIMITS_SHARED.set(self._shared)


def _told(key: str, meter: Meter) -> Taken:
    return Taken(key, meter.rate.per_second, _MOST_BURSTS * meter.rate.burst, meter.taken)
