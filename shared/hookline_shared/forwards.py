"""`[[forward]]` in the TOML file and `FORWARD_URL`: which webhooks go on to which app. Both services read them. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from hookline_shared.tables import TableList, tables_reader
from hookline_shared.validation import (
    AtLeastOne,
    Check,
    Read,
    SettingsTable,
    split_url,
)

_PATH: Final = re.compile(r"/[!-~]*")
_BUILT_IN: Final = "/twilio"
EVERYTHING: Final = "/"
LONGEST_TWIML: Final = 64_000
_TWIML: Final = re.compile(r"\s*(<\?xml[^>]*\?>\s*)?<Response[\s/>]")


def _path(path: str) -> str:
    if not _PATH.fullmatch(path) or "?" in path or "#" in path:
        raise ValueError("a path must begin with / and have no query or fragment; write it %-encoded, as Twilio sends it")
    return path.rstrip("/") or EVERYTHING


def check_url(url: str) -> str:
    """Return `url` with a path, if it is that of an app.

    Raises:
        ValueError: if it is not. The message does not quote it: it may have a password in it.

    """
    parts = split_url(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it must be of the form http://host[:port][/path]")
    if parts.query or parts.fragment:
        raise ValueError("it has a query or fragment; the query of each webhook is kept")
    if "@" in parts.netloc:
        raise ValueError("it has a user name, which the app cannot see in its signature; leave it out")
    if not url.isascii() or any(character <= " " for character in url):
        raise ValueError("it has characters that are not %-encoded")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path or '/'}"


def _twiml(text: str) -> str:
    if text and not _TWIML.match(text):
        raise ValueError("it must be TwiML, which begins with <Response>")
    if len(text.encode()) > LONGEST_TWIML:
        raise ValueError("Twilio accepts no TwiML above 64 kB")
    return text


class Forward(SettingsTable, frozen=True, kw_only=True):
    """What Twilio calls at `path` and below it goes on to `url`."""

    path: Annotated[str, Check(_path)]
    """As in the URL that Twilio calls, after PUBLIC_URL."""
    url: Annotated[str, Check(check_url)]
    """What takes the place of the path."""
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 10
    """Seconds that the app has for its answer."""
    sign: Literal["target", "original"] = "target"
    """Whether the signature is that of Twilio for the app's own URL, or the one that Twilio sent."""
    max_attempts: AtLeastOne = 20
    """Failed attempts after which an event becomes a dead letter."""
    live: bool = True
    """Whether Twilio waits for what the app answers: for calls and hooks. What answers messages is sent."""
    fallback: Annotated[str, Check(_twiml)] = ""
    """TwiML that a caller hears if the app does not answer in time."""
    expired: Literal["settle", "run"] = "settle"
    """Whether events are forwarded for which nobody waits any more, if it is live."""

    @classmethod
    def contradictions(cls, valid: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what needs a live forward."""
        if not valid.get("live", True) and valid.get("fallback"):
            yield "fallback", "it needs live = true: others are answered at once"

    @property
    def origin(self) -> str:
        """Scheme and host of the app."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def covers(self, path: str) -> bool:
        """Whether `path`, raw and without a query, belongs to it."""
        return self.path in (EVERYTHING, path) or path.startswith(f"{self.path}/")

    def target_url(self, target: str) -> str:
        """Return the URL of the app for `target`, the path and query that Twilio called. All that is kept is kept as it is."""
        rest = target if self.path == EVERYTHING else target[len(self.path) :]
        if rest.startswith("/"):
            return f"{self.url.rstrip('/')}{rest}"
        return self.url + rest


def forward_of(forwards: Iterable[Forward], target: str) -> Forward | None:
    """Return the one of `forwards` to which the raw path and query `target` belong, the one with the longest path."""
    path = target.partition("?")[0]
    return max((one for one in forwards if one.covers(path)), key=lambda one: len(one.path), default=None)


def with_url(forwards: Sequence[Forward], url: str | None) -> tuple[Forward, ...]:
    """Return `forwards`, and what `url`, the value of FORWARD_URL, adds.

    All paths go to the same paths of the app, and the built-in path to the URL itself: it is that of the app's webhook.
    """
    if url is None:
        return tuple(forwards)
    everything = Forward(path=EVERYTHING, url=f"{Forward(path=EVERYTHING, url=url).origin}/")
    added = [everything, Forward(path=_BUILT_IN, url=url)] if urlsplit(url).path not in ("", "/") else [everything]
    taken = {one.path for one in forwards}
    return (*forwards, *(one for one in added if one.path not in taken))


ForwardsSetting = Annotated[tuple[Forward, ...], Read(tables_reader(Forward, TableList("forward", "forward", unique="path")))]
"""All of `[[forward]]`, no two of them for one path."""
