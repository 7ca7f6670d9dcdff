"""What handlers remember of a conversation: a JSON document, during one attempt. No I/O.

It is settled with the event (`scripts/settle.lua`): an attempt that fails changes nothing.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from hookline_processor.replies.message import UnfitError
from hookline_shared.event import Event
from hookline_shared.streams.memory import MEMORY_LIFE_MS, MemoryWrite, StoredMemory, memory_digest

MOST_BYTES: Final = 64 << 10
"""The bytes of the JSON of a document."""
_WHAT: Final = "Memory is a dict of what JSON has: str, int, float, bool, None, lists, and dicts with str as keys."


class Memory:
    """The document of one conversation, as it was `stored`, and as the attempt changes it."""

    __slots__ = ("_document", "_stored")

    def __init__(self, stored: StoredMemory) -> None:
        self._stored = stored
        self._document = _decoded(stored)

    @property
    def document(self) -> dict[str, Any]:
        """The document, which may be changed."""
        return self._document

    def replace(self, document: dict[str, Any]) -> None:
        """Use another document.

        Raises:
            UnfitError: if it is none.

        """
        if not isinstance(document, dict):
            raise UnfitError(f"context.memory cannot be a {type(document).__name__}. {_WHAT}")
        self._document = document

    def reset(self) -> None:
        """Forget all changes."""
        self._document = _decoded(self._stored)

    def write(self, event: Event, *, sends: bool) -> MemoryWrite | None:
        """Return what settling `event` does with the document; None if nothing is to be done.

        If the event `sends` anything, the document must not have changed meanwhile, even if it stays as it is.

        Raises:
            UnfitError: if it is not JSON, or too large.

        """
        text = encode(self._document)
        if text == (self._stored.text or "{}"):
            if not sends:
                return None
            text = ""
        digest = memory_digest(event.account, event.key)
        return MemoryWrite(digest, self._stored.version, event.id, text, MEMORY_LIFE_MS)


def encode(document: Mapping[str, Any]) -> str:
    """Return the JSON of `document`, which is the same when it is read again.

    Raises:
        UnfitError: if it would not be the same, or is too large.

    """
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size, same = len(text.encode()), json.loads(text) == document
    except (TypeError, ValueError, RecursionError) as error:
        raise UnfitError(f"context.memory cannot be stored: {_described(error)}. {_WHAT}") from None
    if not same:
        raise UnfitError(f"context.memory would not be the same when it is read: it has {_changed(document)}. {_WHAT}")
    if size > MOST_BYTES:
        raise UnfitError(
            f"context.memory has {size} bytes as JSON, and {MOST_BYTES} are the most. Keep less, such as the last "
            "messages only, or keep the rest in a database."
        )
    return text


def _decoded(stored: StoredMemory) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(stored.text) if stored.text else {}
    return document


def _described(error: Exception) -> str:
    """Return why JSON has no such value, without the value itself."""
    if isinstance(error, UnicodeEncodeError):
        return "a text has half of a surrogate pair, which UTF-8 cannot encode"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _changed(value: object) -> str:
    """Return what in `value` JSON does not give back as it is."""
    if isinstance(value, dict):
        if odd := next((type(name).__name__ for name in value if not isinstance(name, str)), None):
            return f"a key of type {odd}"
        members = list(value.values())
    elif isinstance(value, list):
        members = value
    else:
        return f"a value of type {type(value).__name__}"
    return next((_changed(one) for one in members if json.loads(json.dumps(one)) != one), "a value of its own")
