"""The messages in the outbox: reading them with their marks."""

from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

from hookline_cli.output.durations import format_duration
from hookline_cli.output.redaction import Redaction
from hookline_cli.redis_session import RedisSession
from hookline_processor.replies.outbox_events import TOKEN
from hookline_processor.replies.segments import Segments, segments_of
from hookline_shared.errors import UndecodableError
from hookline_shared.event import Event, decode
from hookline_shared.parsing.json_body import decode_json
from hookline_shared.streams.locate import unsettled_events
from hookline_shared.streams.outbox import Mark, Marks, Place
from hookline_shared.topics import OUTBOX

_DOUBT_AFTER_MS: Final = 5000


class Message(NamedTuple):
    """One message: the event that it is, where its mark is, and the mark."""

    event: Event
    place: Place
    mark: Mark

    def state(self, now_ms: int) -> str:
        """Return how far it is, at `now_ms`, in Unix ms by the clock of Redis."""
        if self.mark.sid:
            return f"sent as {self.mark.sid}"
        if not self.mark.is_sending:
            return "queued"
        since = format_duration(now_ms - self.mark.last_ms)
        return f"in doubt for {since}" if self.in_doubt(now_ms) else "being sent"

    def in_doubt(self, now_ms: int) -> bool:
        """Whether nobody knows whether Twilio has it."""
        return self.mark.is_sending and now_ms - self.mark.last_ms > _DOUBT_AFTER_MS

    @property
    def segments(self) -> Segments | None:
        """How the text is sent as an SMS, None if it is none, or its text is not known."""
        parameters: Any = decode_json(self.event.body)
        if not isinstance(parameters, dict) or not parameters.get("Body") or ":" in str(parameters.get("To", "")):
            return None
        return segments_of(str(parameters["Body"]))

    def parameters(self, redaction: Redaction) -> dict[str, Any]:
        """Return the parameters of Twilio's API, without the token."""
        return {name: value for name, value in redaction.parameters(self.event).items() if name != TOKEN}


async def messages_in(redis_session: RedisSession, partition: int) -> AsyncIterator[Message]:
    """Yield the messages of a partition, the oldest first.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    marks = Marks(redis_session.redis, redis_session.partitions)
    async for page in unsettled_events(redis_session.redis, partition, OUTBOX):
        for arrival in page:
            try:
                event = decode(arrival.fields)
            except UndecodableError:
                continue
            place = Place(partition, event.dedupe_key.rpartition(":")[2])
            yield Message(event, place, await marks.read(place))
