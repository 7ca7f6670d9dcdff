"""The memory of what has arrived and is not answered yet, over all connections: parts of requests, and requests behind the one
that is being answered.

Each connection is bounded, but thousands of them together are not: a client can send all but the end of a large body on each.
Above the limit, connections give up what they hold, first those that have held most for longest, and none below the average: a
genuine request is small, and its rest comes soon. What is being answered is no part of this: it has been verified, or is
refused at once.
"""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Final, Protocol

from hookline_shared.clock import Clock

_LEAST_S: Final = 0.001
_CANDIDATES: Final = 0.1
"""Share of the connections that is put in order at once, to be given up one after the other."""


class Holder(Protocol):
    """A connection. `held` is what it holds in bytes, `since` is when it began to, in seconds on the service's clock."""

    held: int
    since: float

    def give_up(self) -> None:
        """Hold nothing any more."""
        ...


class ReadMemory:
    """Keeps what `holders` hold below `limit` bytes. `on_given_up` is called for each that gives up."""

    def __init__(
        self, limit: int, holders: Callable[[], Iterable[Holder]], clock: Clock, on_given_up: Callable[[], None]
    ) -> None:
        self.held = 0
        self._limit = limit
        self._holders = holders
        self._clock = clock
        self._on_given_up = on_given_up
        self._greediest: list[tuple[float, float, Holder]] = []

    def change(self, change: int) -> None:
        """Note that what is held has changed by `change` bytes; let connections give up what is too much."""
        self.held += change
        if change > 0:
            while self.held > self._limit and (holder := self._next()) is not None:
                self._on_given_up()
                holder.give_up()

    def _next(self) -> Holder | None:
        """Return the connection that must give up what it holds next, None if none holds anything."""
        for _ in range(2):
            while self._greediest:
                _, since, holder = self._greediest.pop()
                if holder.held and holder.since == since:  # else it is about another request by now
                    return holder
            self._greediest = self._in_order()
        return None

    def _in_order(self) -> list[tuple[float, float, Holder]]:
        """Return those that hold most, in bytes times seconds, of the connections above the average; the first comes last."""
        now, holding = self._clock.monotonic(), [one for one in self._holders() if one.held]
        average = self.held / max(1, len(holding))
        found = [(one.held * (now - one.since + _LEAST_S), one.since, one) for one in holding if one.held >= average]
        found.sort(key=itemgetter(0))
        return found[-max(1, int(len(found) * _CANDIDATES)) :]
