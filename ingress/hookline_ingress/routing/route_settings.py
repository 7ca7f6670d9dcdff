"""`[[routes]]` in the TOML file."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from hookline_ingress.http.request import Reply
from hookline_ingress.limits.rates import Rate
from hookline_ingress.routing.reply_settings import ReplySettings, read_reply
from hookline_shared.catalogue.kinds import KINDS
from hookline_shared.tables import TableList, tables_reader
from hookline_shared.validation import (
    AtLeastOne,
    Check,
    NotNegative,
    Read,
    SettingsTable,
)

MESSAGE_RECEIVED: Final = "message.received"
_PATH: Final = re.compile(r"/[!-~]*")

SENDGRID_PATH: Final = "/sendgrid"

LARGEST_JSON: Final = 1 << 20
"""Bytes: the largest body that is not a form, unless the route or INGRESS_MAX_BODY has another limit."""


def _path(path: str) -> str:
    if not _PATH.fullmatch(path) or "?" in path or "#" in path:
        raise ValueError("a path must begin with / and have no query or fragment; write it %-encoded, as Twilio sends it")
    return path


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind}; the kinds are {', '.join(KINDS)}")
    return kind


class RouteSettings(SettingsTable, frozen=True, kw_only=True):
    """One path, new or built-in. For a built-in path, what is left out stays as it is."""

    path: Annotated[str, Check(_path)]
    """As in the URL that Twilio calls, after PUBLIC_URL."""
    kind: Annotated[str | None, Check(_kind)] = None
    """The kind of webhooks that match no other kind."""
    topic: str | None = None
    """The topic of all events of this path."""
    reply: Annotated[ReplySettings | None, Read(read_reply)] = None
    """TwiML, or a table with status, type and body. Empty: a 204 without a body."""
    max_body: Annotated[int, Meta(ge=1, le=1 << 24)] | None = None
    """Largest body in bytes. A larger one gets a 413."""
    sender_rate: NotNegative | None = None
    """Events per second of one sender, instead of INGRESS_SENDER_RATE."""
    sender_burst: AtLeastOne | None = None
    """Events that one sender can send at once, instead of INGRESS_SENDER_BURST."""
    live: bool = False
    """Whether Twilio waits for what the handler answers: for calls and hooks."""
    fallback: Annotated[ReplySettings | None, Read(read_reply)] = None
    """The reply of a live route if there is no answer in time: TwiML, or a table as for `reply`."""
    expired: Literal["settle", "run"] = "settle"
    """Whether events of a live route are handled for which nobody waits any more."""

    @classmethod
    def contradictions(cls, valid: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield that a burst lacks its rate, and that the kinds of SendGrid are not to be chosen."""
        if valid.get("kind") is not None and valid.get("path") == SENDGRID_PATH:
            yield "kind", f"{SENDGRID_PATH} tells its kinds itself: leave it out"
        if not valid.get("live", True):
            if valid.get("fallback") is not None:
                yield "fallback", "it needs live = true: another route is answered at once"
            if valid.get("expired") == "run":
                yield "expired", "it needs live = true: events of other routes are always handled"
        if valid.get("live") and valid.get("kind") == MESSAGE_RECEIVED:
            yield "live", "replies to messages are sent, and never wait: leave it out"
        if valid.get("live") and valid.get("path") == SENDGRID_PATH:
            yield "live", "SendGrid waits for no answer: leave it out"
        if valid.get("sender_burst") is not None and valid.get("sender_rate", 0) is None:
            yield "sender_burst", "it needs a sender_rate"

    def as_reply(self) -> Reply | None:
        """Return the reply, None if the kind's own applies."""
        return None if self.reply is None else self.reply.as_reply()

    def rate(self) -> Rate | None:
        """Return the rate of one sender, None if the settings' applies."""
        if self.sender_rate is None:
            return None
        return Rate(self.sender_rate, self.sender_burst or max(1, round(10 * self.sender_rate)))


def check_topics(routes: Sequence[RouteSettings], topics: Collection[str]) -> None:
    """Check that the topic of every route is one of `topics`.

    Raises:
        ValueError: naming the routes whose topic is not.

    """
    unknown = [route for route in routes if route.topic is not None and route.topic not in topics]
    if unknown:
        problems = [f"route {route.path}: there is no topic {route.topic}" for route in unknown]
        raise ValueError(f"{'; '.join(problems)}; the topics are {', '.join(topics)}, and [topics.<name>] adds one")


RoutesSetting = Annotated[
    tuple[RouteSettings, ...], Read(tables_reader(RouteSettings, TableList("routes", "route", unique="path")))
]
"""All of `[[routes]]`, no two of them for one path."""
