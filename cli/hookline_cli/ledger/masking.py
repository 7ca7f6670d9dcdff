"""Mask personal data in rows of the ledger, as other commands do in events. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from hookline_cli.output.redaction import Redaction
from hookline_shared.catalogue.webhook_event import is_harmless

Found = Mapping[str, Any]

_ADDRESSES: Final = ("sender", "recipient")


def masked(row: Found, redaction: Redaction) -> Found:
    """Return a row of an event, a message or a call; itself if `redaction` reveals everything."""
    if redaction.reveal:
        return row
    personal = list(_texts("", row.get("params"))) + [row[name] for name in _ADDRESSES if row.get(name)]
    return {name: _column(name, value, redaction, personal) for name, value in row.items()}


def _column(name: str, value: Any, redaction: Redaction, personal: Collection[str]) -> Any:
    if not value:
        return value
    match name:
        case "key":
            return redaction.key(value)
        case "error":
            return redaction.text(value, personal)
        case "sender" | "recipient" | "body":
            return redaction.value(name, value)
        case "params" | "media":
            return _nested("", value, redaction)
    return value


def _nested(name: str, value: Any, redaction: Redaction) -> Any:
    """Return a value of JSON, each text and number in it masked by the name that it has."""
    if isinstance(value, Mapping):
        return {redaction.name(own): _nested(own, one, redaction) for own, one in value.items()}
    if isinstance(value, list):
        return [_nested(name, one, redaction) for one in value]
    if value is None or isinstance(value, bool):
        return value
    return redaction.value(name, str(value))


def _texts(name: str, value: Any) -> Iterator[str]:
    """Yield the texts in a value of JSON that may be personal."""
    if isinstance(value, Mapping):
        for own, one in value.items():
            yield from _texts(own, one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(name, one)
    elif isinstance(value, str) and not is_harmless(name):
        yield value
