"""The base class of all events: Twilio's parameters as attributes, decoded on first use."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Final, overload
from urllib.parse import urlsplit

import msgspec

from hookline_shared.event import Event
from hookline_shared.forms import parse_form
from hookline_shared.json_body import decode_json, is_form, members_of

_HARMLESS: Final = re.compile(
    r".*(Sid|Status|Country|Version)|Num.*|Direction|SequenceNumber|Timestamp|.*Duration|CallbackSource|EventType|MessageType"
    r"|.*_sid|sg_event_id|specversion|Level|PayloadType|ResourceType|SequenceId|TranscriptionEvent"
)
"""Names of parameters whose values may be logged. All other parameters count as personal, new ones too."""
_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


class Text:
    """An attribute with the text of parameter `name`, or an empty string if Twilio did not send it."""

    def __init__(self, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, event: None, owner: type) -> "Text": ...
    @overload
    def __get__(self, event: "WebhookEvent", owner: type) -> str: ...
    def __get__(self, event: "WebhookEvent | None", owner: type) -> "str | Text":
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
    def __get__(self, event: "WebhookEvent", owner: type) -> int | None: ...
    def __get__(self, event: "WebhookEvent | None", owner: type) -> "int | Number | None":
        """Read the parameter."""
        if event is None:
            return self
        value = event.params.get(self._name, "")
        if not _WHOLE_NUMBER.fullmatch(value):
            return None
        return int(value) if self._most is None else min(int(value), self._most)


class WebhookEvent:
    """Any accepted webhook, and the base class of the typed events.

    `raw` is the envelope, an `Event` with the kind, the account SID and the body bytes as Twilio sent them. `kind` of the class
    is what `Handlers.on` registers for it.
    """

    kind: ClassVar[str] = "*"

    def __init__(self, raw: Event) -> None:
        self.raw = raw

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.raw.kind} {self.raw.id}>"

    @property
    def id(self) -> str:
        """The event id, a string that is the same in every attempt."""
        return self.raw.id

    @cached_property
    def json(self) -> Any:
        """The decoded JSON body, or None for a form, a GET, and a body that is not JSON."""
        return None if is_form(self.raw.content_type) else decode_json(self.raw.body)

    @cached_property
    def params(self) -> Mapping[str, str]:
        """All parameters as strings by Twilio's names. The last value of a repeated parameter is used.

        They come from the form body, or from the query of a GET. For a JSON object they are its members: strings unchanged,
        other values as JSON text.

        Raises:
            ValueError: if the body cannot be parsed.

        """
        if not self.raw.body and self.raw.method != "POST":  # ingress before the method was stored had only GETs without body
            return parse_form(urlsplit(self.raw.target).query.encode()).params
        return parse_form(self.raw.body).params if is_form(self.raw.content_type) else members_of(self.json)

    @cached_property
    def personal(self) -> list[str]:
        """Texts that must not be logged, without duplicates: the signature, and all values not known to be harmless.

        The signature is secret because it makes a replay of this request acceptable. If the body cannot be parsed, the
        signature is the only text.
        """
        try:
            data = self.params if self.json is None else self.json
            found = (value for name, value in _texts(data) if not is_harmless(name))
            return list(dict.fromkeys((self.raw.signature, *found)))
        except ValueError:
            return [self.raw.signature]

    @property
    def account_sid(self) -> str:
        """The SID of the account whose token verified the webhook, or if that token is for all accounts, that it names.

        Empty for an element of a JSON array that such a token verified, and for SendGrid.
        """
        return self.raw.account


@lru_cache(maxsize=1024)
def is_harmless(name: str) -> bool:
    """Whether the values of parameter `name` are never personal."""
    return _HARMLESS.fullmatch(name) is not None


def _texts(data: Any) -> Iterator[tuple[str, str]]:
    """Yield all texts in parameters or decoded JSON with their names, plain and JSON-escaped: messages quote both.

    Some parameters contain JSON, such as TaskAttributes and Payload: the texts in it are yielded, too.
    """
    remaining = [("", data)]
    while remaining:
        name, value = remaining.pop()
        if isinstance(value, str):
            yield name, value
            yield name, msgspec.json.encode(value).decode()[1:-1]
            if value.lstrip()[:1] in ("{", "["):
                remaining.append((name, decode_json(value.encode())))
        elif isinstance(value, Mapping):
            remaining += value.items()
        elif isinstance(value, list):
            remaining += ((name, item) for item in value)
