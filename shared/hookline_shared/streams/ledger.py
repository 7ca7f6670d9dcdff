"""The ledger streams: settled events with their outcome, until they are in the database.

There is no consumer group. An entry stays until it is removed, so the owner of the partition starts with the oldest one.
Entries that two processors move at the same time are removed by id, which has no effect the second time.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from hookline_shared.redis.manager import Command, RedisConnectionManager
from hookline_shared.streams.redis_answers import raise_first_error

FRONT: Final = "-"
"""Read position: the oldest entry."""


class LedgerEntry(NamedTuple):
    """One settled event: names and values, as `scripts/settle.lua` wrote them."""

    partition: int
    id: str
    fields: Sequence[bytes]


class LedgerStreams:
    """Reads and removes entries of the ledger streams, one of each partition."""

    def __init__(self, redis: RedisConnectionManager) -> None:
        self._redis = redis
        self._keys = redis.keys

    async def read(self, positions: Mapping[int, str], count: int) -> list[LedgerEntry]:
        """Return up to `count` entries of each partition, oldest first, after its position: `FRONT` or an entry id.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        words = [
            (
                "XRANGE",
                self._keys.ledger(partition),
                position if position == FRONT else f"({position}",
                "+",
                "COUNT",
                count,
            )
            for partition, position in positions.items()
        ]
        answers = await self._ask("ledger read", words)
        return [
            LedgerEntry(partition, entry_id.decode(), fields)
            for partition, entries in zip(positions, answers, strict=True)
            for entry_id, fields in entries
        ]

    async def remove(self, entries: Iterable[LedgerEntry]) -> None:
        """Remove `entries`, which are grouped by partition. Safe to repeat.

        Raises:
            BrokerUnavailableError: if Redis did not confirm.

        """
        groups = groupby(entries, lambda entry: entry.partition)
        await self._ask(
            "ledger remove", [("XDEL", self._keys.ledger(number), *(entry.id for entry in own)) for number, own in groups]
        )

    async def lengths(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the number of entries of each of `partitions`.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        asked = list(partitions)
        answers = await self._ask("ledger length", [("XLEN", self._keys.ledger(partition)) for partition in asked])
        return dict(zip(asked, answers, strict=True))

    async def _ask(self, operation: str, commands: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
        if not commands:
            return []
        return raise_first_error(await self._redis.pipeline(operation, [Command(words[1], words) for words in commands]))
