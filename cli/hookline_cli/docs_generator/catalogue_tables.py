"""The tables of kinds and of their event classes, made from the catalogue."""

from collections.abc import Iterator

from hookline_shared.catalogue.fields import Json, Number, Text
from hookline_shared.catalogue.kind import CONTENT, Kind
from hookline_shared.catalogue.kinds import ALL
from hookline_shared.catalogue.webhook_event import WebhookEvent


def kinds_table() -> str:
    """Return the table of docs/webhooks.md: how each kind is told, its keys, its reply and its source."""
    lines = ["| kind | recognized by | dedupe key: account, kind and … | ordering key | reply |", "|---|---|---|---|---|"]
    for kind in ALL:
        sources = ", ".join(f"[{number}]({url})" for number, url in enumerate(kind.source.split(", "), start=1))
        name = f"`{_label(kind)}`{f' {sources}' if kind.source.startswith('https:') else ''}"
        lines.append(f"| {name} | {kind.condition.described} | {_dedupe(kind)} | {kind.ordering.described} | {kind.reply} |")
    return "\n".join(lines) + "\n"


def events_table() -> str:
    """Return the table of docs/handlers.md: the class of each kind, and its attributes."""
    lines = ["| kind | class | attributes |", "|---|---|---|"]
    for kind in ALL:
        example = f"{kind.name}.{kind.sample.event}`, …" if kind.sample.event else f"{kind.name}`"
        attributes = ", ".join(f"`{name}`" for name in _attributes(kind.event))
        lines.append(f"| `{example} | `{kind.event.__name__}` | {attributes} |")
    return "\n".join(lines) + "\n"


def _label(kind: Kind) -> str:
    return kind.name if kind.event_type is None else f"{kind.name}.<event>"


def _dedupe(kind: Kind) -> str:
    if kind.steps:
        return f"{kind.dedupe.described}, path, {CONTENT.described}"
    return kind.dedupe.described


def _attributes(event: type[WebhookEvent]) -> Iterator[str]:
    """Yield the attributes of `event` in their order, without those that all events have."""
    if event is not WebhookEvent:
        yield from (
            name for name, value in vars(event).items() if isinstance(value, Text | Number | Json | property) and name[0] != "_"
        )
