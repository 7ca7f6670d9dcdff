"""Decodes request bodies that are JSON. Ingress makes keys from the result; handlers get the same."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from hookline_shared.parsing.forms import FORM

JSON: Final = "application/json"
"""The content type of JSON, and of the elements of an array."""


@lru_cache(maxsize=64)
def is_form(content_type: str) -> bool:
    """Whether the header says that the body is a form."""
    return content_type.partition(";")[0].strip().lower() == FORM


def decode_json(body: bytes | msgspec.Raw) -> Any:
    """Return the decoded JSON in `body`, None if it is not JSON."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def members_of(value: Any) -> Mapping[str, str]:
    """Return the members of a decoded JSON object, other values than text as JSON; none if `value` is not an object.

    A member that is null counts as missing: as a part of a key, it would be the same for different events.
    """
    if not isinstance(value, dict):
        return {}
    try:
        return {name: as_text(member) for name, member in value.items() if member is not None}
    except RecursionError:
        return {}


def as_text(value: Any) -> str:
    """Return text unchanged, and any other value as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
