"""Sessions, links, tokens, lock-out, proxies and origins: the pure parts of the door, with a clock that is turned by hand."""

from pathlib import Path

import pytest

from hookline_cli.settings.console import ConsoleSettings
from hookline_console.access.form_tokens import FormTokens
from hookline_console.access.lockout import LockOut
from hookline_console.access.one_time_links import OneTimeLinks
from hookline_console.access.passwords import PasswordFile, PasswordFileError, WeakPasswordError, hash_line
from hookline_console.access.people import Person, Role, UnknownRoleError, parse_roles
from hookline_console.access.proxy import TrustedProxies
from hookline_console.access.sessions import Sessions
from hookline_console.origins import Origins
from tests.support.time.manual_clock import ManualClock

ADA = Person("ada", frozenset({Role.VIEWER}))


@pytest.fixture
def sessions(clock: ManualClock) -> Sessions:
    return Sessions(1800, 43_200, clock.monotonic)


async def test_session_ends_when_nobody_uses_it(sessions: Sessions, clock: ManualClock) -> None:
    """Each request gives it another half hour, but none more than 12 hours in all."""
    idle, busy = sessions.open(ADA), sessions.open(ADA)
    alive = []
    for _ in range(26):
        await clock.advance(1700)
        alive.append(sessions.find(busy) is not None)
    assert alive == [True] * 25 + [False]
    assert sessions.find(idle) is None


async def test_open_page_alone_uses_no_session(sessions: Sessions, clock: ManualClock) -> None:
    """What a page asks for by itself does not keep somebody signed in who has gone away."""
    one = sessions.open(ADA)
    await clock.advance(1700)
    assert sessions.find(one, in_use=False) is not None
    await clock.advance(200)
    assert sessions.find(one, in_use=False) is None


async def test_one_person_has_so_many_sessions(sessions: Sessions) -> None:
    """The oldest one ends, and nobody else's."""
    other = sessions.open(Person("bob", ADA.roles))
    ids = [sessions.open(ADA) for _ in range(25)]
    assert [sessions.find(one) is not None for one in ids] == [False] * 5 + [True] * 20
    assert sessions.find(other) is not None


async def test_ended_session_does_not_live(sessions: Sessions) -> None:
    """What holds a session, such as a live page, sees that it has ended."""
    session = sessions.find(sessions.open(ADA))
    assert session is not None
    assert sessions.lives(session)
    sessions.end(session)
    assert not sessions.lives(session)


async def test_link_works_once_and_for_ten_minutes(clock: ManualClock) -> None:
    """Used, replaced or old, it is worth nothing."""
    links = OneTimeLinks(clock.monotonic)
    assert not links.redeem("")
    first, second = links.make(), links.make()
    assert not links.redeem(first)
    assert links.redeem(second)
    assert not links.redeem(second)
    old = links.make()
    await clock.advance(601)
    assert not links.redeem(old)


def test_token_is_of_one_cookie() -> None:
    """A token of another browser, of another console or without a cookie fits nothing."""
    tokens = FormTokens()
    assert tokens.fits(tokens.of("a"), "a")
    assert not tokens.fits(tokens.of("a"), "b")
    assert not tokens.fits(tokens.of(""), "")
    assert not tokens.fits("ü", "a")
    assert not FormTokens().fits(tokens.of("a"), "a")


async def test_locked_for_fifteen_minutes(clock: ManualClock) -> None:
    """Five failures in a row lock a key, a success in between does not let them add up."""
    lockout = LockOut(5, clock.monotonic)
    for _ in range(4):
        lockout.fail("ada")
    lockout.succeed("ada")
    lockout.fail("ada")
    assert lockout.seconds_left("ada") == 0
    for _ in range(4):
        lockout.fail("ada")
    assert lockout.seconds_left("ada") == 900
    assert lockout.seconds_left("bob") == 0
    await clock.advance(901)
    assert lockout.seconds_left("ada") == 0
    lockout.fail("ada")
    assert lockout.seconds_left("ada") == 0, "counting begins anew"


async def test_password_file(tmp_path: Path) -> None:
    """Only the right password of a person in the file is theirs; the file is read again each time."""
    path = tmp_path / "users"
    users = PasswordFile(path)
    path.write_text(f"\n# people\n{hash_line('ada', parse_roles(['operator']), 'correct horse')}\n")
    assert users.check() == 1
    assert await users.sign_in("ada", "correct horse") == Person("ada", frozenset({Role.VIEWER, Role.OPERATOR}))
    assert await users.sign_in("ada", "wrong horse!") is None
    assert await users.sign_in("bob", "correct horse") is None
    path.write_text(hash_line("bob", parse_roles([]), "battery staple"))
    assert await users.sign_in("ada", "correct horse") is None
    assert await users.sign_in("bob", "battery staple") is not None


@pytest.mark.parametrize("line", ["ada", "ada:operator", "ada:operator:plain", ":operator:$argon2id$", "ada:boss:$argon2id$x"])
def test_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    """A mistake in the file is found at the start, with its line."""
    (tmp_path / "users").write_text(f"\n{line}\n")
    with pytest.raises(PasswordFileError, match="line 2"):
        PasswordFile(tmp_path / "users").check()


def test_mistakes_are_refused() -> None:
    """A short password makes no line, and a role that does not exist no person."""
    with pytest.raises(WeakPasswordError):
        hash_line("ada", ADA.roles, "short")
    with pytest.raises(UnknownRoleError, match="viewer, operator, revealer"):
        parse_roles(["boss"])


def proxied(**variables: str) -> TrustedProxies:
    named = {"CONSOLE_TRUSTED_PROXIES": "10.0.0.0/8,::1", "CONSOLE_USER_HEADER": "X-User", "CONSOLE_GROUPS_HEADER": "X-Groups"}
    return TrustedProxies(ConsoleSettings.load({**named, **variables}))


def test_proxy_names_people_and_addresses() -> None:
    """Headers of others count for nothing; the client is the last address that no proxy of ours has."""
    proxies = proxied(CONSOLE_OPERATORS="group:night,eve", CONSOLE_REVEALERS="ada")
    assert proxies.person("192.0.2.1", {"X-User": "ada"}) is None
    assert proxies.person("10.1.2.3", {"X-User": " "}) is None
    assert proxies.person("10.1.2.3", {"X-User": "ada"}) == Person("ada", frozenset({Role.VIEWER, Role.REVEALER}))
    bob = proxies.person("::1", {"X-User": "bob", "X-Groups": "day, night"})
    assert bob == Person("bob", frozenset({Role.VIEWER, Role.OPERATOR}))
    assert proxies.person("::ffff:10.0.0.1", {"X-User": "ada"}) is not None
    assert proxies.person("10.0.0.1", {"X-User": "group:night"}) is None
    forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.2, 10.9.9.9"}
    assert proxies.client("10.1.2.3", forwarded) == "198.51.100.2"
    assert proxies.client("192.0.2.1", forwarded) == "192.0.2.1"
    assert proxies.client("10.1.2.3", {}) == "10.1.2.3"


def test_origins_are_our_own() -> None:
    """On loopback its usual names with the port; with a URL, that one, and no name that leads here by chance."""
    local = Origins(ConsoleSettings.load({"CONSOLE_PORT": "9070"}))
    assert local.knows("localhost:9070")
    assert local.knows("127.0.0.1:9070")
    assert not local.knows("localhost")
    assert not local.knows("evil.example:9070")
    named = {"CONSOLE_HOST": "0.0.0.0", "CONSOLE_URL": "https://hooks.example.com", "CONSOLE_USERS": "users"}
    public = Origins(ConsoleSettings.load(named))
    assert public.https
    assert public.knows("hooks.example.com")
    assert not public.knows("127.0.0.1:9070")
    assert public.sends({"Origin": "https://hooks.example.com", "Sec-Fetch-Site": "same-origin"})
    assert public.sends({})
    assert not public.sends({"Origin": "http://hooks.example.com"})
    assert not public.sends({"Sec-Fetch-Site": "same-site"})
