"""Search for an event by its id or by a SID: in the topics, the dead letters and the record of discarded dead letters."""

import asyncio
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from hookline_cli.output.progress import Reporting, progress_reporter
from hookline_cli.output.sids import is_sid, mentions
from hookline_cli.redis_session import RedisSession
from hookline_shared.dead_letter import DeadLetter
from hookline_shared.errors import HooklineError
from hookline_shared.streams.dead_letters import DeadLetterStreams, Discarded
from hookline_shared.streams.follow import Arrival
from hookline_shared.streams.locate import Location, lengths, locate, unsettled_events

_EVENT_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_CONCURRENT_PARTITIONS: Final = 8


class SearchTerm:
    """What to search for: `text` is an event id or a SID.

    Raises:
        HooklineError: if it is neither.

    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.is_sid = is_sid(text)
        if not self.is_sid and not _EVENT_ID.fullmatch(text):
            raise HooklineError(
                f"{text!r} is neither an event id (32 hexadecimal digits) nor a SID (two capital letters and 32 such digits)."
            )
        self._value = text.encode()

    def fits(self, fields: Sequence[bytes]) -> bool:
        """Whether an entry with these names and values matches."""
        return mentions(fields, self.text) if self.is_sid else _has(fields, b"id", self._value)


class Unsettled(NamedTuple):
    """An event in a topic, and its state; `location` is None if it was settled during the search."""

    arrival: Arrival
    location: Location | None


class Hits:
    """The results, at most `most` of each sort; `count` is the number of all matches."""

    def __init__(self, most: int) -> None:
        self.count = 0
        self.unsettled: list[Unsettled] = []
        self.letters: list[DeadLetter] = []
        self.discarded: list[tuple[int, Discarded]] = []
        self.most = most


class Search:
    """One search through `topics`. An event that dies meanwhile is found: its topic is searched before the dead letters."""

    def __init__(
        self,
        redis_session: RedisSession,
        topics: Sequence[str],
        term: SearchTerm,
        most: int,
        reporting: Reporting = progress_reporter,
    ) -> None:
        self.hits = Hits(most)
        self._redis_session = redis_session
        self._letters = DeadLetterStreams(redis_session.redis, redis_session.partitions)
        self._topics = topics
        self._term = term
        self._reporting = reporting

    async def run(self) -> Hits:
        """Search everything, or stop at the first match of an event id, which is unique.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        limit = asyncio.Semaphore(_CONCURRENT_PARTITIONS)
        total = (
            await lengths(self._redis_session.redis, self._redis_session.partitions, self._topics) + await self._letters.count()
        )
        with self._reporting("Searching", total) as progress:

            async def search_partition(partition: int) -> None:
                async with limit:
                    for topic in self._topics:
                        progress.advance(await self._search_topic(partition, topic))
                    progress.advance(await self._search_dead_letters(partition))
                    await self._search_discarded(partition)

            await asyncio.gather(*map(search_partition, range(self._redis_session.partitions)))
        return self.hits

    @property
    def _done(self) -> bool:
        return bool(self.hits.count) and not self._term.is_sid

    async def _search_topic(self, partition: int, topic: str) -> int:
        seen = 0
        async for page in unsettled_events(self._redis_session.redis, partition, topic):
            for arrival in page:
                if self._term.fits(arrival.fields) and self._count(len(self.hits.unsettled)):
                    found = await locate(self._redis_session.redis, arrival.place, _value_of(arrival.fields, b"key"))
                    self.hits.unsettled.append(Unsettled(arrival, found))
            seen += len(page)
            if self._done:
                break
        return seen

    async def _search_dead_letters(self, partition: int) -> int:
        seen = 0
        async for page in self._letters.pages(partition):
            matching = [letter for letter in page if self._term.fits(letter.event_fields)]
            self.hits.letters += [letter for letter in matching if self._count(len(self.hits.letters))]
            seen += len(page)
            if self._done:
                break
        return seen

    async def _search_discarded(self, partition: int) -> None:
        if self._done:
            return
        async for page in self._letters.discarded(partition):
            for record in page:
                if record.fields.get("id") == self._term.text and self._count(len(self.hits.discarded)):
                    self.hits.discarded.append((partition, record))

    def _count(self, kept: int) -> bool:
        """Count a match; return whether it may be added where `kept` are held already."""
        self.hits.count += 1
        return kept < self.hits.most


def _value_of(fields: Sequence[bytes], name: bytes) -> str:
    """Return the value of the field `name`, empty if there is none."""
    return dict(zip(fields[::2], fields[1::2], strict=False)).get(name, b"").decode(errors="surrogateescape")


def _has(fields: Sequence[bytes], name: bytes, value: bytes) -> bool:
    """Whether the field `name` has the value `value`."""
    return value in fields and any(fields[at] == name and fields[at + 1] == value for at in range(0, len(fields) - 1, 2))
