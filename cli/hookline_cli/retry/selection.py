"""The options with which `retry now` and `retry drop` choose waiting events, and the search for these."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Annotated, NamedTuple

import typer

from hookline_cli.dead.selection import fits_kind
from hookline_cli.known_names import check_kinds, check_topics
from hookline_cli.output.progress import Reporting, progress_reporter
from hookline_cli.redis_session import RedisSession
from hookline_cli.show.search import Search, SearchTerm
from hookline_shared.errors import HooklineError
from hookline_shared.partitions import partition_of
from hookline_shared.settings.base import SharedSettings
from hookline_shared.streams.locate import Stage
from hookline_shared.streams.waiting.control import LaneSet, WaitingControl
from hookline_shared.streams.waiting.index import lane_id

TopicsOption = Annotated[list[str], typer.Option("--topic", help="Only this topic; may be repeated.")]
KindsOption = Annotated[list[str], typer.Option("--kind", help="Only this kind, or family such as 'sync.*'; may be repeated.")]
KeyOption = Annotated[str, typer.Option("--conversation", metavar="KEY", help="Only the conversation with this ordering key.")]
EventOption = Annotated[
    str,
    typer.Option("--event", metavar="EVENT_ID|SID", help="Only this event, or those with this SID in their parameters."),
]
WhyOption = Annotated[str, typer.Option("--why", help="The reason, kept in the dead letter. Do not write personal data here.")]
WhoOption = Annotated[str | None, typer.Option("--who", help="Who drops them, kept in the dead letter. Default: user@host.")]
_MOST_EVENTS = 10_000


class Page(NamedTuple):
    """Waiting events of one topic and partition: for each, its lane and its entry id, which is empty if it was not looked
    up."""

    partition: int
    topic: str
    events: Sequence[tuple[str, str]]


class RetrySelection(NamedTuple):
    """A waiting event is selected if it matches all of these; of several topics or kinds, one is enough."""

    topics: Sequence[str] = ()
    kinds: Sequence[str] = ()
    key: str = ""
    event: str = ""

    def check(self, topics: Collection[str], *, everything: bool) -> None:
        """Check the names, and that there is a selection, or `everything`.

        Raises:
            HooklineError: if one is wrong.

        """
        if (self != RetrySelection()) == everything:
            raise HooklineError(
                "Choose the events by --topic, --kind, --conversation or --event, or all with --all. See --help."
            )
        check_topics(self.topics, topics)
        check_kinds(self.kinds)
        if self.event and (self.kinds or self.key):
            raise HooklineError("--event names the events itself: leave out --kind and --conversation.")


class RetryScan:
    """One search for the selected events."""

    def __init__(
        self,
        redis_session: RedisSession,
        settings: SharedSettings,
        selection: RetrySelection,
        reporting: Reporting = progress_reporter,
    ) -> None:
        self.unread = 0
        """Events that match and are not read yet: nothing keeps them waiting but the ones before them."""
        self._redis_session = redis_session
        self._control = WaitingControl(redis_session.redis, redis_session.partitions)
        self._settings = settings
        self._selection = selection
        self._reporting = reporting
        self._topics = list(selection.topics) or list(settings.topics)

    async def most(self) -> int:
        """Return how many waiting lanes can be selected at most.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        return sum(one.lanes for one in await self._sets())

    async def pages(self, *, with_entries: bool) -> AsyncIterator[Page]:
        """Yield the selected events page by page; the entry ids of all only if `with_entries`.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        if self._selection.event:
            for page in await self._named():
                yield page
            return
        for one in await self._sets():
            async for lanes in self._lanes(one):
                if with_entries or self._selection.kinds or self._selection.key:
                    yield await self._described(one, lanes)
                else:
                    yield Page(one.partition, one.topic, [(lane, "") for lane in lanes])

    async def _sets(self) -> list[LaneSet]:
        wanted = self._selection.topics
        found = [one for one in await self._control.sets(self._topics) if not wanted or one.topic in wanted]
        if not self._selection.key:
            return found
        partition = partition_of(self._selection.key, self._redis_session.partitions)
        return [one for one in found if one.partition == partition]

    async def _lanes(self, waiting: LaneSet) -> AsyncIterator[list[str]]:
        """Yield the lanes of a set; only the one of the wanted key if its id is known."""
        topic = self._settings.topics.get(waiting.topic)
        if self._selection.key and topic is not None and topic.ordered:
            lane = lane_id(waiting.topic, self._selection.key)
            if await self._control.waits(waiting, lane):
                yield [lane]
            return
        async for lanes in self._control.lanes(waiting):
            yield lanes

    async def _described(self, waiting: LaneSet, lanes: Sequence[str]) -> Page:
        found = await self._control.describe(waiting.partition, waiting.topic, lanes)
        key, kinds = self._selection.key, self._selection.kinds
        events = [
            (one.lane, one.entry)
            for one in found
            if one.entry
            and (not key or one.key == key)
            and (not kinds or any(fits_kind(pattern, one.kind) for pattern in kinds))
        ]
        return Page(waiting.partition, waiting.topic, events)

    async def _named(self) -> list[Page]:
        """Return the events with the id or SID that is asked for.

        Raises:
            HooklineError: if there is none in the topics.

        """
        hits = await Search(
            self._redis_session, self._topics, SearchTerm(self._selection.event), _MOST_EVENTS, self._reporting
        ).run()
        if not hits.unsettled:
            raise HooklineError(f"{self._selection.event} not found among the unsettled events. See `hookline show`.")
        pages = []
        for arrival, location in hits.unsettled:
            if location is None or location.stage is Stage.UNREAD:
                self.unread += location is not None
                continue
            partition, topic, entry = arrival.place
            pages.append(Page(partition, topic, [(location.wait.lane if location.wait else entry, entry)]))
        return pages
