"""The audit log: who did what with the web console or the MCP server, when and why.

Wire format: an entry of the stream `<prefix>:console:audit`, whose id is the time, has the fields `who`, `from` (the address of
the browser), `action`, `target`, `why` and `outcome`. The stream keeps about the newest `KEPT` entries. An action is recorded
before it begins: one that cannot be recorded is not carried out. What came of it is a second entry.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from hookline_shared.redis.manager import RedisConnectionManager

KEPT: Final = 10_000
_LONGEST: Final = 500


class Deed(NamedTuple):
    """What somebody does. `outcome` is empty for what begins."""

    who: str
    address: str
    action: str
    target: str = ""
    why: str = ""
    outcome: str = ""


class Record(NamedTuple):
    """A deed, and when it was recorded, in Unix ms by the clock of Redis."""

    at_ms: int
    deed: Deed


class AuditLog:
    """The audit log in Redis."""

    def __init__(self, redis: RedisConnectionManager) -> None:
        self._redis = redis
        self._key = redis.keys.console_audit

    async def write(self, deed: Deed) -> None:
        """Record a deed.

        Raises:
            BrokerUnavailableError: if Redis did not confirm.

        """
        words: list[str | int] = ["XADD", self._key, "MAXLEN", "~", KEPT, "*"]
        for name, value in zip(_NAMES, deed, strict=True):
            words += [name, value[:_LONGEST]]
        await self._redis.execute("audit", self._key, *words)

    async def newest(self, most: int) -> list[Record]:
        """Return the newest records, at most `most`, newest first.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        found = await self._redis.execute("audit", self._key, "XREVRANGE", self._key, "+", "-", "COUNT", most)
        return [Record(int(entry.partition(b"-")[0]), _deed(fields)) for entry, fields in found]


_NAMES: Final = ("who", "from", "action", "target", "why", "outcome")


def _deed(fields: Iterable[bytes]) -> Deed:
    words = [word.decode(errors="replace") for word in fields]
    named = dict(zip(words[::2], words[1::2], strict=False))
    return Deed(*(named.get(name, "") for name in _NAMES))
