"""The form of an entry in the catalogue: how a kind is recognised, its keys, reply, event class, sample and source. Pure.

Names of parameters in an entry may have alternatives: "MessageSid|SmsSid" is the first of them that is not empty.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from hookline_shared.catalogue.sids import Params, is_sid
from hookline_shared.catalogue.webhook_event import WebhookEvent

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Reply(StrEnum):
    """What Twilio gets for an event that is stored, unless the route has a reply of its own."""

    TWIML = "empty TwiML"
    NONE = "204"


class Condition(NamedTuple):
    """How a kind is recognised, as a function and in words.

    Of each tuple in `needs`, one parameter must be there: without, the function is not called.
    """

    matches: Callable[[Params], bool]
    described: str
    needs: tuple[tuple[str, ...], ...] = ()


class Key(NamedTuple):
    """What identifies an event, or its conversation, as a function and in words. Empty if the parameters do not have it.

    `numbers` is whether it is made of phone numbers, which belong to one account, as SIDs do. Anything else may be in two.
    `sids` read the SIDs in it.
    """

    of: Callable[[Params], str]
    described: str
    numbers: bool = False
    sids: tuple[Callable[[Params], str], ...] = ()

    def identity(self, params: Params) -> str:
        """Return what identifies an event among those of its kind, empty if Twilio sent nothing that can.

        A SID in it has the form of one. The sender of a webhook that is cut elsewhere chooses the values, but makes no two of
        them.
        """
        whole = self.of(params)
        for read in self.sids:
            sid = whole if read is self.of else read(params)
            if sid and not is_sid(sid):
                return ""
        return whole


class Template(NamedTuple):
    """A sample webhook: its parameters, and the short name, path and event that `hookline send` uses for it.

    Of `params`, "SM*" is a new SID, "<MessageSid>" the value of that parameter, "<event>" the name of the event. `sender` is
    the parameter that names the sender, empty if there is none.
    """

    params: Mapping[str, Any] | Callable[[str], Mapping[str, Any]]
    short: str = ""
    path: str = "/twilio"
    event: str = ""
    sender: str = ""
    as_json: bool = False


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of webhook, or with `event_type` a family of them: then it is what Twilio calls the event.

    `sender` is the parameter that names who sent the event, for kinds of which one person can send too many. Parameters in
    `volatile` may differ between two deliveries of one event. With `steps`, the path and the content are part of the dedupe
    key: a call comes to the same path several times.

    `accepts` is whether a route for this kind takes every webhook that matches no other kind for one of it, as for Studio,
    whose parameters the user chooses. `elements` is whether events come as elements of a JSON array. `lost_after_4xx` is
    whether the sender repeats a webhook after a 5xx only, and discards it after any other refusal.
    """

    name: str
    topic: str
    condition: Condition
    dedupe: Key
    ordering: Key
    event: type[WebhookEvent]
    sample: Template
    source: str
    reply: Reply = Reply.NONE
    event_type: Key | None = None
    sender: str = ""
    volatile: frozenset[str] = frozenset()
    steps: bool = False
    accepts: bool = False
    elements: bool = False
    lost_after_4xx: bool = False

    @property
    def label(self) -> str:
        """The name, for a family with all its events."""
        return self.name if self.event_type is None else f"{self.name}.*"

    def fits(self, params: Params) -> bool:
        """Whether a webhook that matches no kind can be one of this kind, if its route says so."""
        return self.accepts or self.condition.matches(params) or bool(self.dedupe.of(params))

    def name_of(self, params: Params) -> str:
        """Return the kind's whole name for an event with `params`."""
        if self.event_type is None:
            return self.name
        what = self.event_type.of(params)
        return f"{self.name}.{what if _PLAIN.fullmatch(what) else 'other'}"


def has(*names: str, lacks: Collection[str] = (), also: str = "", **values: str) -> Condition:
    """Return the condition that `names` are there, those in `lacks` are not, and `values` are as given.

    `also` is the beginning of the parameter EventType.
    """
    wanted = tuple(tuple(name.split("|")) for name in names)
    single = [one for (one, *others) in wanted if not others]
    several = [alternatives for alternatives in wanted if len(alternatives) > 1]
    equal = tuple(values.items())

    def matches(params: Params) -> bool:
        get = params.get
        for name in single:
            if not get(name):
                return False
        for name in lacks:
            if get(name):
                return False
        for alternatives in several:
            if not any(map(get, alternatives)):
                return False
        return all(get(name) == value for name, value in equal) and (not also or get("EventType", "").startswith(also))

    parts = [_in_words(one) for one in wanted]
    parts += [f"`{name}={value}`" for name, value in equal]
    parts += [f"`EventType={also}…`"] if also else []
    parts += [f"no `{name}`" for name in lacks]
    return Condition(matches, ", ".join(parts), (*wanted, *((name,) for name in values)))


def key(*names: str) -> Key:
    """Return the key of `names`, joined. It is empty if one of them is missing; a name that ends with "?" may be missing."""
    parts = [(tuple(name.removesuffix("?").split("|")), name.endswith("?")) for name in names]
    described = ", ".join(_in_words(alternatives) + "?" * may_lack for alternatives, may_lack in parts)
    read = [(_first_of(alternatives), may_lack) for alternatives, may_lack in parts]
    sids = tuple(_first_of(alternatives) for alternatives, _ in parts if alternatives[0].lower().endswith("sid"))
    if len(read) == 1:
        return Key(read[0][0], described, sids=(read[0][0],) if sids else ())

    def of(params: Params) -> str:
        values = []
        for value_of, may_lack in read:
            value = value_of(params)
            if not value and not may_lack:
                return ""
            values.append(value)
        return joined(*values)

    return Key(of, described, sids=sids)


def joined(*values: str) -> str:
    """Return `values` with a ":" between them. One in a value, except in the last, has a backslash before it, so that different
    values are never joined to the same text."""
    *others, last = values
    return ":".join([*(_escaped(value) for value in others), last])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(":", "\\:") if ":" in value or "\\" in value else value


def _first_of(alternatives: tuple[str, ...]) -> Callable[[Params], str]:
    first, *others = alternatives
    if not others:
        return lambda params: params.get(first, "")
    if len(others) == 1:
        (second,) = others
        return lambda params: params.get(first) or params.get(second, "")
    return lambda params: params.get(first) or next(filter(None, map(params.get, others)), "")


def _in_words(alternatives: Collection[str]) -> str:
    return " or ".join(f"`{name}`" for name in alternatives)


CONTENT: Final = Key(lambda _params: "", "content")
"""Twilio sends nothing that identifies the event: a hash of its content does."""
NOTHING: Final = Key(lambda _params: "", "none: a lane of its own")
