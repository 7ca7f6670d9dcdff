"""The last webhooks that came to this machine, with what became of them. Pure."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from hookline_cli.tail.timeline import TimelineEntry
from hookline_processor.events.events import typed
from hookline_processor.replies.outbox_events import TOKEN, token_of
from hookline_shared.event import Event
from hookline_shared.topics import OUTBOX

MOST: Final = 100
"""Webhooks that are kept."""
_MOST_MESSAGES: Final = 50
"""Messages that one event may send."""
_LONGEST: Final = 20_000
"""Characters of a body that is shown: a page must stay small."""
_LONGEST_VALUE: Final = 2000
"""Characters of a parameter that are shown; the text of a message has 1,600."""


class RecentWebhook(msgspec.Struct):
    """One webhook: when it came, in Unix ms, what it is, and what became of it.

    `state` is waits, done or dead. `answers` are the texts that its handler sent, or the answer to a call; `error` is that of
    its dead letter. `again` is how ingress answered when it was sent again.
    """

    event: Event
    at: int
    state: str = "waits"
    took_ms: int | None = None
    error: str = ""
    answers: list[str] = msgspec.field(default_factory=list)
    again: str = ""

    def shown(self) -> dict[str, Any]:
        """Return what the page shows."""
        event = self.event
        return {
            "id": event.id,
            "at": self.at,
            "kind": event.kind,
            "target": event.target,
            "method": event.method,
            "state": self.state,
            "took_ms": self.took_ms,
            "error": self.error,
            "answers": self.answers,
            "again": self.again,
            "params": {name: str(value)[:_LONGEST_VALUE] for name, value in typed(event).params.items()},
            "body": event.body.decode(errors="replace")[:_LONGEST],
        }


class RecentWebhooks:
    """The last `most` webhooks, by event id, the newest last."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._all: dict[str, RecentWebhook] = {}

    def note(self, entries: Iterable[TimelineEntry]) -> list[RecentWebhook]:
        """Note what happened; return the webhooks that have just been handled."""
        return [done for entry in entries if entry.event is not None and (done := self._note(entry, entry.event))]

    def find(self, event_id: str) -> RecentWebhook | None:
        """Return the webhook of an event, None if it is forgotten."""
        return self._all.get(event_id)

    def newest_first(self) -> list[RecentWebhook]:
        """Return all."""
        return list(reversed(self._all.values()))

    def _note(self, entry: TimelineEntry, event: Event) -> RecentWebhook | None:
        if entry.place.topic == OUTBOX:
            if entry.what == "accepted":
                self._note_message(event)
            return None
        known = self._all.get(event.id)
        if known is None:
            known = self._all[event.id] = RecentWebhook(event, event.received_at)
            while len(self._all) > self._most:
                del self._all[next(iter(self._all))]
        known.state = {"accepted": "waits", "settled": "done"}.get(entry.what, entry.what)
        known.took_ms = entry.took_ms
        known.error = f"{entry.letter.reason}: {entry.letter.error}" if entry.letter else ""
        return known if entry.what == "settled" else None

    def _note_message(self, message: Event) -> None:
        """Note a message at the webhook that it answers."""
        content = msgspec.json.decode(message.body)
        for webhook in self.newest_first():
            if webhook.event.key == message.key:
                tokens = (token_of(webhook.event, number) for number in range(_MOST_MESSAGES))
                if content.get(TOKEN) in tokens:
                    webhook.answers.append(f"to {content.get('To', '')}: {content.get('Body') or content}")
                    return
