"""The cookies of one conversation with one app, as Twilio keeps them. Pure. Times are Unix time in seconds."""

from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from http.cookies import Morsel
from typing import Final
from urllib.parse import urlsplit

import msgspec

LIFE_S: Final = 4 * 3600
"""https://www.twilio.com/docs/usage/webhooks/webhooks-faq"""
LARGEST: Final = 4096
"""Bytes of a name and its value, as browsers keep them (RFC 6265, section 6.1)."""
MOST: Final = 16


class Cookie(msgspec.Struct, frozen=True):
    """One cookie: `value` as the app wrote it, for `path` and below, until `expires_at`."""

    name: str
    value: str
    path: str
    expires_at: int


def changed(cookies: Iterable[Cookie], url: str, morsels: Iterable[Morsel[str]], now_s: int) -> tuple[list[Cookie], int]:
    """Return `cookies` after an answer from `url` has set `morsels`, and the number of those that are not kept."""
    kept, dropped = {(one.name, one.path): one for one in cookies if one.expires_at > now_s}, 0
    for morsel in morsels:
        cookie = _read(morsel, url, now_s)
        kept.pop((cookie.name, cookie.path), None)
        if cookie.expires_at <= now_s:
            continue
        if len(cookie.name) + len(cookie.value) > LARGEST or len(kept) == MOST:
            dropped += 1
        else:
            kept[cookie.name, cookie.path] = cookie
    return list(kept.values()), dropped


def header_for(cookies: Iterable[Cookie], url: str, now_s: int) -> str:
    """Return the value of the header Cookie for a request to `url`, empty if there is none. Longer paths come first."""
    path = urlsplit(url).path or "/"
    fitting = [one for one in cookies if one.expires_at > now_s and _covers(one.path, path)]
    return "; ".join(f"{one.name}={one.value}" for one in sorted(fitting, key=lambda one: -len(one.path)))


def encode(cookies: Iterable[Cookie]) -> bytes:
    """Return `cookies` as they are stored."""
    return msgspec.json.encode(list(cookies))


def decode(stored: bytes | None) -> list[Cookie]:
    """Return the stored cookies, none if there are none or they cannot be read."""
    try:
        return msgspec.json.decode(stored, type=list[Cookie]) if stored else []
    except msgspec.MsgspecError:
        return []


def _read(morsel: Morsel[str], url: str, now_s: int) -> Cookie:
    path = morsel["path"] if morsel["path"].startswith("/") else _default_path(url)
    return Cookie(morsel.key, morsel.coded_value, path, min(_expiry(morsel, now_s), now_s + LIFE_S))


def _expiry(morsel: Morsel[str], now_s: int) -> int:
    """Return when a cookie expires by its attributes. Max-Age wins (RFC 6265, section 5.3)."""
    try:
        if morsel["max-age"]:
            return now_s + int(morsel["max-age"])
        if morsel["expires"]:
            return int(parsedate_to_datetime(morsel["expires"]).timestamp())
    except (ValueError, TypeError, OverflowError):
        pass
    return now_s + LIFE_S


def _default_path(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[0] or "/"


def _covers(cookie_path: str, path: str) -> bool:
    return path == cookie_path or path.startswith(cookie_path.rstrip("/") + "/")
