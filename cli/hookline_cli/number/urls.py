"""The URLs of a number: what they should be, and what is wrong with those that it has. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

OVERRIDES: Final = "#rc=3&rp=all"
"""Lets Twilio repeat a request that failed for whatever reason, three times."""
_BUILT_IN: Final = "/twilio"
FIELDS: Final = {"sms_url": "SmsUrl", "voice_url": "VoiceUrl"}
"""The URLs that are pointed, by their names in Twilio's answers, with those in its requests."""
_APPLICATIONS: Final = {"sms_url": "sms_application_sid", "voice_url": "voice_application_sid"}


class Number(NamedTuple):
    """A number of Twilio's: its SID, the number itself, its URLs by Twilio's names, and what handles it instead of URLs."""

    sid: str
    number: str
    urls: Mapping[str, str]
    instead: Mapping[str, str] = {}


def number_of(item: Mapping[str, object]) -> Number:
    """Return the number that `item` of Twilio's list is."""
    urls = {name: str(item.get(name) or "") for name in FIELDS}
    instead = {name: str(item.get(field) or "") for name, field in _APPLICATIONS.items() if item.get(field)}
    return Number(str(item.get("sid", "")), str(item.get("phone_number", "")), urls, instead)


def pointed(number: Number, public_url: str, path: str | None, *, keeps_paths: bool) -> dict[str, str]:
    """Return the URLs with which `number` calls ingress at `public_url`.

    They have `path`. Without one, they have the paths and queries that they have now if `keeps_paths`, as an app behind a
    forward wants, otherwise the built-in one.
    """
    return {name: f"{public_url}{path or _path(url, keeps_paths=keeps_paths)}{OVERRIDES}" for name, url in number.urls.items()}


def findings(number: Number, public_urls: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with the URLs of `number`, which should call ingress at one of `public_urls`."""
    for name, url in number.urls.items():
        what = FIELDS[name]
        if name in number.instead:
            yield f"{what}: application {number.instead[name]} handles it"
        elif not url:
            yield f"{what}: none"
        elif not any(is_below(url, base) for base in public_urls):
            yield f"{what}: calls another host"
        elif not _repeats(url):
            yield f"{what}: lacks {OVERRIDES}"


def is_below(url: str, base: str) -> bool:
    """Whether `url` is `base`, or leads to a path below it."""
    whole, root = url.partition("#")[0].partition("?")[0], base.rstrip("/")
    return whole == root or whole.startswith(f"{root}/")


def _repeats(url: str) -> bool:
    overrides = dict(part.partition("=")[::2] for part in url.partition("#")[2].split("&"))
    return overrides.get("rp") == "all" and overrides.get("rc", "1") not in ("", "0")


def _path(url: str, *, keeps_paths: bool) -> str:
    parts = urlsplit(url)
    if not keeps_paths or parts.path in ("", "/"):
        return _BUILT_IN
    return f"{parts.path}{f'?{parts.query}' if parts.query else ''}"
