"""The base class of all events: Twilio's parameters as attributes, decoded on first use."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, ClassVar, Final, Self

import msgspec

from hookline_shared.catalogue.sids import account_of
from hookline_shared.event import Event
from hookline_shared.parsing.forms import EMPTY, Form, parse_form
from hookline_shared.parsing.json_body import decode_json, is_form, members_of
from hookline_shared.parsing.multipart import boundary_of, parse_multipart

_HARMLESS: Final = re.compile(
    r".*(Sid|Status|Country|Version|Event)|Num.*|Direction|SequenceNumber|Timestamp|.*Duration|CallbackSource|(Event|event)Type"
    r"|.*_sid|sg_event_id|specversion|Level|PayloadType|ResourceType|SequenceId|MessageType|event_type|AnsweredBy|accountId"
    r"|conversationId|.*Date(Created|Updated|Fired)|.*ErrorCode|OptOutType|bodySHA256"
)
"""Names of parameters whose values may be logged. All other parameters count as personal, new ones too."""


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

    @property
    def burst(self) -> tuple[Self, ...]:
        """The events that are handled as one, in order, this one first. It is alone, unless its handler has `burst_s`."""
        return (self, *self.__dict__.get("_others", ()))

    def join(self, others: "Iterable[WebhookEvent]") -> None:
        """Let `others`, of the same class, be handled with this event."""
        self.__dict__["_others"] = tuple(others)

    @cached_property
    def json(self) -> Any:
        """The decoded JSON body, or None for a form, a GET, and a body that is not JSON."""
        return None if is_form(self.raw.content_type) else decode_json(self.raw.body)

    @cached_property
    def params(self) -> Mapping[str, str]:
        """All parameters as strings by Twilio's names. The last value of a repeated parameter is used.

        They come from the form body, or from the query if there is no body. For a JSON object they are its members: strings
        unchanged, other values as JSON text.

        Raises:
            ValueError: if the body cannot be parsed.

        """
        if not self.raw.body or is_form(self.raw.content_type):
            return self._form.params
        boundary = boundary_of(self.raw.content_type)
        return parse_multipart(self.raw.body, boundary) if boundary else members_of(self.json)

    @cached_property
    def all(self) -> Mapping[str, list[str]]:
        """All values of each parameter, in the order in which Twilio sent them: `event.all["MediaUrl"]`.

        Raises:
            ValueError: if the body cannot be parsed.

        """
        values: dict[str, list[str]] = {}
        for name, value in self._form.pairs or self.params.items():
            values.setdefault(name, []).append(value)
        return values

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The parameters in the query of the URL that Twilio called: for a POST, those that you wrote into your callback URL.

        Raises:
            ValueError: if the query cannot be parsed.

        """
        return parse_form(self.raw.target.partition("?")[2].encode()).params

    @property
    def account_sid(self) -> str:
        """The SID of the account whose secret verified the webhook, or if that is for all accounts, the one that it names.

        It may be spelled in any way; an event of Event Streams names it in its data, or in the payload of these. Empty if it
        names none, and for SendGrid, which signs for no account.
        """
        if self.raw.account or self.raw.signer.startswith("sendgrid"):
            return self.raw.account
        data = _member(self.json, "data")
        places = (self.params, members_of(data), members_of(_member(data, "payload")))
        return next(filter(None, map(account_of, places)), "")

    def _readable_query(self) -> Mapping[str, str]:
        try:
            return self.query
        except ValueError:
            return {}

    @cached_property
    def _form(self) -> Form:
        """The parameters of a form body, or of the query of a GET; empty for any other body."""
        if not self.raw.body and self.raw.method != "POST":  # before the method was stored, events without a body were GETs
            return parse_form(self.raw.target.partition("?")[2].encode())
        return parse_form(self.raw.body) if is_form(self.raw.content_type) else EMPTY

    @cached_property
    def personal(self) -> list[str]:
        """Texts that must not be logged, without duplicates: the signature, and all values not known to be harmless.

        The signature is secret because it makes a replay of this request acceptable. If the body cannot be parsed, the
        signature is the only text.
        """
        try:
            data = self.all if self.json is None else self.json
            found = (value for name, value in chain(_texts(data), _texts(self._readable_query())) if not is_harmless(name))
            texts = [self.raw.signature, *found]
        except ValueError:
            texts = [self.raw.signature]
        return list(dict.fromkeys(chain(texts, *(other.personal for other in self.burst[1:]))))


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


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
