"""The pauses that operators have set, as this processor knows them: events that match one are not attempted."""

from collections.abc import Callable, Sequence
from math import inf

from aiojobs import Job

from hookline_processor.in_flight import InFlightEvent
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.streams.waiting.pauses import Pause, PauseStore

_POLL_S = 1.0


class Pauses:
    """The pauses in `store`, read every second. It is the gate of the conditions `pause:…`."""

    def __init__(self, store: PauseStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._active: dict[str, Pause] = {}
        self._listeners: dict[object, Callable[[], None]] = {}
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Read the pauses, however long Redis does not answer, and keep reading them.

        Until they are known, nothing may be attempted: it may be paused.
        """
        while not await self._read():
            await self._clock.sleep(_POLL_S)
        self._job = await supervisor.spawn("pauses", self._run())

    async def stop(self) -> None:
        """Stop reading."""
        if self._job is not None:
            await self._job.close()

    def active(self) -> list[Pause]:
        """Return the pauses that have not ended."""
        now_ms = self._clock.now_ms()
        return [pause for pause in self._active.values() if not pause.has_ended(now_ms)]

    def of(self, in_flight: InFlightEvent) -> Pause | None:
        """Return the pause that keeps an event from being attempted, or None."""
        if not self._active:
            return None
        event = in_flight.event
        return next((pause for pause in self.active() if pause.covers(in_flight.topic, event.kind, event.key)), None)

    def stops_topic(self, topic: str) -> bool:
        """Whether nothing of `topic` may be attempted, so that it need not be read."""
        return bool(self._active) and any(pause.covers_topic(topic) for pause in self.active())

    def claim(self, name: str) -> float:
        """Return how many lanes may be resumed that wait for the end of the pause `name`: none, or all."""
        return 0 if any(pause.id == name for pause in self.active()) else inf

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` when the pauses change; return a function that ends this."""
        registration = object()
        self._listeners[registration] = listener
        return lambda: self._listeners.pop(registration, None) and None

    def update(self, pauses: Sequence[Pause]) -> None:
        """Use `pauses` from now on."""
        active = {pause.id: pause for pause in pauses}
        if active != self._active:
            self._active = active
            for listener in list(self._listeners.values()):
                listener()

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(_POLL_S)
            await self._read()

    async def _read(self) -> bool:
        """Read the pauses; return whether Redis answered. While it does not, those that are known stay."""
        try:
            self.update(await self._store.read())
        except BrokerUnavailableError:  # the readiness check reports it
            return False
        return True
