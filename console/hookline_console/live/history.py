"""A few numbers every ten seconds, for the charts of the last hours.

Wire format: an entry of the stream `<prefix>:console:history`, whose id is the time, has one field for each of `Sample`'s, with
a number as text; one that is not known is missing. The stream keeps about `_KEPT` entries, which is 12 hours of one console.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from hookline_cli.status.snapshot import Snapshot
from hookline_shared.redis.manager import RedisConnectionManager

INTERVAL_S: Final = 10.0
_KEPT: Final = 4320


class Sample(NamedTuple):
    """What was measured: events per second, unsettled events, the age of the oldest in seconds, conversations that wait, and
    dead letters. None is not known."""

    accepted: float | None = None
    settled: float | None = None
    backlog: float | None = None
    oldest: float | None = None
    waiting: float | None = None
    dead: float | None = None


class Point(NamedTuple):
    """A sample, and when it was taken, in Unix ms by the clock of Redis."""

    at_ms: int
    sample: Sample


class History:
    """The samples in Redis."""

    def __init__(self, redis: RedisConnectionManager) -> None:
        self._redis = redis
        self._key = redis.keys.console_history

    async def add(self, sample: Sample) -> None:
        """Add a sample.

        Raises:
            BrokerUnavailableError: if Redis did not confirm.

        """
        words: list[str | int] = ["XADD", self._key, "MAXLEN", "~", _KEPT, "*", "v", "1"]
        for name, value in sample._asdict().items():
            words += [name, f"{value:.3f}"] if value is not None else []
        await self._redis.execute("history", self._key, *words)

    async def since(self, first_ms: int) -> list[Point]:
        """Return the samples since `first_ms`, Unix ms, the oldest first.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        found = await self._redis.execute("history", self._key, "XRANGE", self._key, first_ms, "+", "COUNT", _KEPT)
        return [Point(int(entry.partition(b"-")[0]), _sample(fields)) for entry, fields in found]


def sample_of(found: Snapshot) -> Sample:
    """Return what is measured of a snapshot whose Redis answered."""
    topics = found.redis.topics.values()
    rates = [found.rate(name) for name in found.redis.topics]
    ages = [found.at_ms - one.oldest_ms for one in topics if one.oldest_ms is not None]
    return Sample(
        _total(rate.accepted for rate in rates),
        _total(rate.settled for rate in rates),
        sum(one.events for one in topics),
        max(0, max(ages, default=0)) / 1000,
        sum(one.waiting for one in topics),
        sum(one.dead for one in topics),
    )


def _total(rates: Iterable[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None


def _sample(fields: Iterable[bytes]) -> Sample:
    words = [word.decode(errors="replace") for word in fields]
    named = dict(zip(words[::2], words[1::2], strict=False))
    return Sample(*(float(named[name]) if name in named else None for name in Sample._fields))
