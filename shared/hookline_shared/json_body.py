"""Reading request bodies that are JSON. Ingress makes keys of what this yields; handlers see the same."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from hookline_shared.forms import FORM


@lru_cache(maxsize=64)
def is_form(content_type: str) -> bool:
    """Whether the header says that the body is a form."""
    return content_type.partition(";")[0].strip().lower() == FORM


def decode_json(body: bytes | msgspec.Raw) -> Any:
    """Return what the JSON in `body` says, None if it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def members_of(value: Any) -> Mapping[str, str]:
    """Return the members of a decoded JSON object, text as it is and all else as its JSON; none if it is something else.

    A member that is null counts as not sent: else it would identify events, and they would all be the same.
    """
    if not isinstance(value, dict):
        return {}
    try:
        return {name: as_text(member) for name, member in value.items() if member is not None}
    except RecursionError:
        return {}


def as_text(value: Any) -> str:
    """Return text as it is, and any other JSON value as its JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
