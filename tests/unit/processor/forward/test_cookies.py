"""Cookies of a conversation, as Twilio keeps them."""

from collections.abc import Sequence
from http.cookies import Morsel, SimpleCookie

from hookline_processor.forward.cookies import LARGEST, LIFE_S, MOST, Cookie, changed, decode, encode, header_for

URL = "http://app:3000/menu/sms"
NOW = 1_750_000_000


def morsels(*lines: str) -> list[Morsel[str]]:
    return [morsel for line in lines for morsel in SimpleCookie(line).values()]


def after(*lines: str, before: Sequence[Cookie] = (), now: int = NOW) -> list[Cookie]:
    return changed(before, URL, morsels(*lines), now)[0]


def test_cookies_come_back() -> None:
    """With the value as it was written; a new value replaces the old one."""
    cookies = after("a=1; Path=/; HttpOnly; SameSite=Lax", 'b="x y"; Path=/')
    assert header_for(cookies, URL, NOW) == 'a=1; b="x y"'
    assert header_for(after("a=2; Path=/", before=cookies), URL, NOW) == 'b="x y"; a=2'


def test_path_counts() -> None:
    """Without one, it is that of the URL up to its last slash (RFC 6265)."""
    cookies = after("deep=1; Path=/menu/sms", "own=2", "other=3; Path=/other")
    assert header_for(cookies, URL, NOW) == "deep=1; own=2"
    assert header_for(cookies, "http://app:3000/menu/voice", NOW) == "own=2"
    assert header_for(cookies, "http://app:3000/menus", NOW) == ""


def test_cookies_expire() -> None:
    """By Max-Age, Expires, or after four hours; an app deletes one by setting it in the past."""
    cookies = after("a=1; Path=/; Max-Age=10", "b=1; Path=/", "c=1; Path=/; Max-Age=999999", "d=1; Path=/; Max-Age=x")
    assert header_for(cookies, URL, NOW + 10) == "b=1; c=1; d=1"
    assert header_for(cookies, URL, NOW + LIFE_S) == ""
    deleted = after("b=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "c=; Path=/; Max-Age=0", before=cookies)
    assert header_for(deleted, URL, NOW) == "a=1; d=1"


def test_too_large_or_too_many_are_not_kept() -> None:
    """Nobody fills Redis with cookies, and their number is told."""
    cookies, dropped = changed([], URL, morsels(f"large={'x' * LARGEST}", *(f"c{number}=1" for number in range(MOST + 3))), NOW)
    assert (len(cookies), dropped) == (MOST, 4)
    kept, dropped = changed(cookies, URL, morsels("c1=2"), NOW)
    assert (len(kept), dropped) == (MOST, 0)


def test_stored_form() -> None:
    """What cannot be read counts as nothing: the conversation begins anew."""
    cookies = after("a=1; Path=/")
    assert decode(encode(cookies)) == cookies
    assert decode(None) == decode(b"nonsense") == decode(b'[{"name": 1}]') == []
