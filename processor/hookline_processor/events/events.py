"""The class of each event: that of its kind in the catalogue."""

from typing import Final

from hookline_shared.catalogue.kinds import ALL, FAMILIES, SINGLE, kind_of
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.event import Event

EVENT_CLASSES: Final = frozenset((WebhookEvent, *(kind.event for kind in ALL)))
"""All classes of events. Kinds without a class of their own use `WebhookEvent`."""


def typed(raw: Event) -> WebhookEvent:
    """Return `raw` as an event of the class of its kind or family, or as a plain `WebhookEvent`."""
    return _class_of(raw.kind)(raw)


def classes_for(pattern: str) -> list[type[WebhookEvent]]:
    """Return the classes of events that match `pattern`: a kind, a prefix such as "message.*", or "*"."""
    if pattern.partition(".")[0] not in FAMILIES and pattern.endswith(".*"):
        return [_class_of(kind) for kind in SINGLE if kind.startswith(pattern[:-1])]
    return [_class_of(pattern)]


def _class_of(name: str) -> type[WebhookEvent]:
    kind = kind_of(name)
    return kind.event if kind is not None else WebhookEvent
