"""Attributes of events: a parameter as text, as a number, or decoded from JSON."""

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol, overload

from hookline_shared.parsing.json_body import decode_json

_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


class HasParams(Protocol):
    """What has the parameters of a webhook."""

    @property
    def params(self) -> Mapping[str, str]:
        """All parameters by Twilio's names."""
        ...


class Text:
    """An attribute with the text of parameter `name`, or an empty string if Twilio did not send it."""

    def __init__(self, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, event: None, owner: type) -> "Text": ...
    @overload
    def __get__(self, event: HasParams, owner: type) -> str: ...
    def __get__(self, event: HasParams | None, owner: type) -> "str | Text":
        """Read the parameter."""
        return self if event is None else event.params.get(self._name, "")


class Number:
    """An attribute with the integer in parameter `name`, or None if Twilio sent no integer. It is at most `most`, if given."""

    def __init__(self, name: str, most: int | None = None) -> None:
        self._name = name
        self._most = most

    @overload
    def __get__(self, event: None, owner: type) -> "Number": ...
    @overload
    def __get__(self, event: HasParams, owner: type) -> int | None: ...
    def __get__(self, event: HasParams | None, owner: type) -> "int | Number | None":
        """Read the parameter."""
        if event is None:
            return self
        value = event.params.get(self._name, "")
        if not _WHOLE_NUMBER.fullmatch(value):
            return None
        return int(value) if self._most is None else min(int(value), self._most)


class Json:
    """An attribute with the decoded JSON in parameter `name`, or None if Twilio sent none, or text that is not JSON."""

    def __init__(self, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, event: None, owner: type) -> "Json": ...
    @overload
    def __get__(self, event: HasParams, owner: type) -> Any: ...
    def __get__(self, event: HasParams | None, owner: type) -> Any:
        """Read and decode the parameter."""
        return self if event is None else decode_json(event.params.get(self._name, "").encode())
