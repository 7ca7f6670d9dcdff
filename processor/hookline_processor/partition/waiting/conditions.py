"""The conditions for which lanes wait in Redis, by name, as all partitions of one processor see them. No I/O.

breaker:<destination>   the breaker of the destination is open
pause:<id>              an operator has paused it
kind:<kind>             no handler is registered for the kind
account:<account>       Twilio cannot be asked to send for the account now
"""

from collections.abc import Callable
from math import inf
from typing import Final, Protocol

BREAKER: Final = "breaker"
PAUSE: Final = "pause"
KIND: Final = "kind"
ACCOUNT: Final = "account"
FAMILIES: Final = (BREAKER, PAUSE, KIND, ACCOUNT)


class Gate(Protocol):
    """Decides about the conditions of one family."""

    def claim(self, name: str) -> float:
        """Return how many lanes that wait for `name` may be resumed now: 0, a number that the caller will resume, or all."""
        ...

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` when more may be resumed; return a function that ends this."""
        ...


class Conditions:
    """All conditions; `gates` has the family of each by its name. A lane of an unknown family does not wait."""

    def __init__(self, gates: dict[str, Gate]) -> None:
        self._gates = gates

    def claim(self, condition: str) -> float:
        """Return how many lanes may be resumed now that wait for `condition`."""
        family, _, name = condition.partition(":")
        gate = self._gates.get(family)
        return inf if gate is None else gate.claim(name)

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` when more lanes may be resumed; return a function that ends this."""
        ends = [gate.on_change(listener) for gate in self._gates.values()]

        def end() -> None:
            for one in ends:
                one()

        return end
