"""Who has typed a wrong password too often has to wait."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

_MOST_KEYS: Final = 10_000
_LOCKED_S: Final = 900.0


class _Failures(NamedTuple):
    """How many in a row, and when the last one was, in monotonic seconds."""

    number: int
    last: float


class LockOut:
    """Counts failures by key: a name, or an address. After `limit` in a row, the key is locked for 15 minutes."""

    def __init__(self, limit: int, monotonic: Callable[[], float]) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def seconds_left(self, key: str) -> float:
        """Return for how long `key` is still locked, 0 if it is not."""
        found = self._failures.get(key)
        if found is None or found.number < self._limit:
            return 0.0
        return max(0.0, found.last + _LOCKED_S - self._monotonic())

    def fail(self, key: str) -> None:
        """Count a failure of `key`."""
        now = self._monotonic()
        before = self._failures.pop(key, _Failures(0, now))
        number = before.number if now - before.last < _LOCKED_S else 0
        self._failures[key] = _Failures(number + 1, now)
        if len(self._failures) > _MOST_KEYS:
            self._failures.popitem(last=False)

    def succeed(self, key: str) -> None:
        """Forget the failures of `key`."""
        self._failures.pop(key, None)
