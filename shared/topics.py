"""The topics that exist without any configuration. Kinds of events share a topic, and so a backlog and a fate."""

from typing import Final

MESSAGES: Final = "messages"
CALLS: Final = "calls"
CONVERSATIONS: Final = "conversations"
STATUSES: Final = "statuses"
EVENTS: Final = "events"
BULK: Final = "bulk"

DEFAULT_TOPICS: Final = (MESSAGES, CALLS, CONVERSATIONS, STATUSES, EVENTS, BULK)
