"""The gate of the conditions `kind:…`: whether this processor has a handler for a kind."""

from collections.abc import Callable
from math import inf

from hookline_processor.attempts.attempts import Attempts


class HandledKinds:
    """The kinds that `attempts` can attempt. They do not change while the process runs."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    def claim(self, name: str) -> float:
        """Return how many lanes may be resumed that wait for a handler of the kind `name`: none, or all."""
        return inf if self._attempts.handles(name) else 0

    def on_change(self, _listener: Callable[[], None]) -> Callable[[], None]:
        """Return a function that does nothing: there are no changes."""
        return lambda: None
