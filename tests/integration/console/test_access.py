"""Who gets into the console, and who does not."""

from pathlib import Path

import pytest

from hookline_console.access.passwords import hash_line
from hookline_console.access.people import Role
from hookline_console.app import ROUTES
from hookline_shared.errors import SettingsError
from tests.support.console.local_console import OPERATOR, LocalConsole, running_console

_PASSWORD = "correct horse battery"


async def test_link_signs_in_once(console: LocalConsole) -> None:
    """The link in the terminal opens the console, and is worth nothing to whoever finds it later."""
    browser, other, link = await console.browser(), await console.browser(), console.link
    assert (await browser.get("/")).headers["Location"] == "/sign-in?next=/"
    entered = await browser.get(link)
    assert (entered.status, entered.headers["Location"]) == (303, "/")
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "No service has used this Redis yet" in await browser.text("/")
    refused = await other.get(link)
    assert refused.status == 403
    assert "worth nothing any more" in await refused.text()
    assert (await other.get("/")).status == 303


async def test_new_link_needs_the_terminal(console: LocalConsole) -> None:
    """Somebody without a link can have one printed, which only the owner of the terminal reads, and not again at once."""
    browser = await console.browser()
    console.components.sign_in._links._made_at -= 100
    assert (await browser.post("/sign-in/link", "/sign-in")).status == 200
    assert len(console.lines) == 2
    assert "Wait some seconds" in await (await browser.post("/sign-in/link", "/sign-in")).text()
    assert len(console.lines) == 2
    assert (await browser.get(console.link)).status == 303


async def test_sign_out_ends_every_tab(console: LocalConsole) -> None:
    """A second tab after sign-out sees and changes nothing, and neither does a copy of the cookie."""
    tab = await console.signed_in(OPERATOR)
    token = await tab.token()
    assert (await tab.post("/sign-out")).headers["Location"] == "/sign-in"
    assert (await tab.get("/")).status == 303
    late = await tab.send("/sign-out", {"token": token})
    assert late.status == 401
    assert "your session has ended" in await late.text()


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "../../etc/passwd", "ü" * 10, "A" * 5000])
async def test_forged_cookie_is_no_session(console: LocalConsole, cookie: str) -> None:
    """A cookie that the console did not make opens nothing."""
    browser = await console.browser()
    answer = await browser.get("/", headers={"Cookie": f"hookline_console={cookie}"})
    assert answer.status == 303


async def test_every_form_needs_its_token(console: LocalConsole) -> None:
    """Whatever changes something refuses a request without the token, with somebody else's, or from another site."""
    ada, eve = await console.signed_in(frozenset(Role)), await console.signed_in(name="eve")
    own, foreign = await ada.token(), await eve.token()
    for route in (route for route in ROUTES if route.method == "POST"):
        path = route.path.replace("{", "").replace("}", "")
        for fields, headers in (
            ({}, {}),
            ({"token": ""}, {}),
            ({"token": foreign}, {}),
            ({"token": own}, {"Origin": "https://evil.example"}),
            ({"token": own}, {"Origin": "null"}),
            ({"token": own}, {"Sec-Fetch-Site": "cross-site"}),
        ):
            answer = await ada.send(path, dict(fields), headers=headers)
            assert answer.status == 403, (route.path, fields, headers)
            assert "Nothing was done" in await answer.text()
    assert (await ada.get("/")).status == 200


async def test_everything_but_the_door_needs_a_session(console: LocalConsole) -> None:
    """There is no page that somebody forgot to guard."""
    browser = await console.browser()
    for route in ROUTES:
        path = route.path.replace("{", "").replace("}", "")
        answer = await (browser.get(path) if route.method == "GET" else browser.send(path, {}))
        if route.need is None:
            assert route.path.startswith(("/sign-in", "/enter", "/static"))
        else:
            assert answer.status in (303, 401), route.path
    assert (await browser.get("/nowhere")).status == 404


async def test_roles_are_needed(console: LocalConsole) -> None:
    """A viewer is told which role is missing, whatever they try to change."""
    viewer = await console.signed_in()
    for route in ROUTES:
        if route.method == "POST" and route.need not in (None, Role.VIEWER):
            path = route.path.replace("{", "").replace("}", "")
            answer = await viewer.post(path)
            assert (answer.status, str(route.need) in await answer.text()) == (403, True), route.path


async def test_other_host_is_refused(console: LocalConsole) -> None:
    """A site whose name means this address gets nothing (DNS rebinding)."""
    browser = await console.signed_in()
    assert (await browser.get("/", headers={"Host": "evil.example:9070"})).status == 421


async def test_answers_have_security_headers(console: LocalConsole) -> None:
    """Every answer forbids scripts that are not ours, frames, guessing of types, and copies in caches."""
    browser = await console.browser()
    for path in ("/sign-in", "/nowhere", "/static/console.js", "/", "/live", "/dead/x/reveal"):
        headers = (await browser.get(path)).headers
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] in ("no-store", "no-cache")


async def test_password_signs_in(redis_url: str, tmp_path: Path) -> None:
    """Who is in the file signs in with their roles, nobody else does, and all of it is in the audit log."""
    users = tmp_path / "users"
    users.write_text("# people\n" + hash_line("ada", frozenset({Role.OPERATOR, Role.VIEWER}), _PASSWORD) + "\n")
    async with running_console(redis_url, tmp_path, CONSOLE_USERS=str(users)) as console:
        assert console.lines == []
        browser = await console.browser()
        for name in ("ada", "nobody"):
            wrong = await browser.post("/sign-in", "/sign-in", name=name, password="wrong")
            assert wrong.status == 403
        right = await browser.post("/sign-in", "/sign-in", name="ada", password=_PASSWORD, next="/audit")
        assert (right.status, right.headers["Location"]) == (303, "/audit")
        records = await console.components.audit.newest(10)
        assert [(one.deed.who, one.deed.action) for one in records] == [("ada", "signed in"), ("ada", "sign-in refused")]
        assert _PASSWORD not in await browser.text("/audit")


async def test_broken_file_tells_strangers_nothing(redis_url: str, tmp_path: Path) -> None:
    """If the file of people cannot be read any more, nobody signs in, and only the log says where it is."""
    users = tmp_path / "users"
    users.write_text(hash_line("ada", frozenset({Role.VIEWER}), _PASSWORD))
    async with running_console(redis_url, tmp_path, CONSOLE_USERS=str(users)) as console:
        users.write_text("ada")
        browser = await console.browser()
        answer = await browser.post("/sign-in", "/sign-in", name="ada", password=_PASSWORD)
        assert (answer.status, str(users) in await answer.text()) == (503, False)


@pytest.mark.parametrize("then", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"])
async def test_sign_in_leads_to_no_other_site(redis_url: str, tmp_path: Path, then: str) -> None:
    """A link to the sign-in page cannot send people elsewhere afterwards."""
    users = tmp_path / "users"
    users.write_text(hash_line("ada", frozenset({Role.VIEWER}), _PASSWORD))
    async with running_console(redis_url, tmp_path, CONSOLE_USERS=str(users)) as console:
        browser = await console.browser()
        answer = await browser.post("/sign-in", "/sign-in", name="ada", password=_PASSWORD, next=then)
        assert answer.headers["Location"] == "/"


async def test_wrong_passwords_lock_out(redis_url: str, tmp_path: Path) -> None:
    """After five wrong ones, even the right one waits."""
    users = tmp_path / "users"
    users.write_text(hash_line("ada", frozenset({Role.VIEWER}), _PASSWORD))
    async with running_console(redis_url, tmp_path, CONSOLE_USERS=str(users)) as console:
        browser = await console.browser()
        for _ in range(5):
            assert (await browser.post("/sign-in", "/sign-in", name="ada", password="guess")).status == 403
        locked = await browser.post("/sign-in", "/sign-in", name="ada", password=_PASSWORD)
        assert (locked.status, "Try again in 15 min" in await locked.text()) == (429, True)


async def test_trusted_proxy_names_people(redis_url: str, tmp_path: Path) -> None:
    """Who the proxy names is in, with the roles of the settings; whom anybody else names is not."""
    settings = {
        "CONSOLE_USER_HEADER": "X-Forwarded-User",
        "CONSOLE_TRUSTED_PROXIES": "127.0.0.0/8",
        "CONSOLE_OPERATORS": "group:support",
        "CONSOLE_REVEALERS": "ada@example.com",
    }
    async with running_console(redis_url, tmp_path, **settings) as console:
        browser = await console.browser()
        nobody = await browser.get("/")
        assert nobody.status == 303
        named = {"X-Forwarded-User": "ada@example.com", "X-Forwarded-Groups": "support, dev"}
        page = await browser.get("/", headers=named)
        assert (page.status, "ada@example.com" in await page.text()) == (200, True)
        assert "operator, revealer, viewer" in await (await browser.get("/", headers=named)).text()
        other = await (await browser.get("/", headers={"X-Forwarded-User": "bob@example.com"})).text()
        assert ("bob@example.com" in other, "ada@example.com" in other) == (True, False)
        assert (await browser.get("/")).status == 303, "the cookie alone, past the proxy, opens nothing"
    settings["CONSOLE_TRUSTED_PROXIES"] = "10.0.0.0/8"
    async with running_console(redis_url, tmp_path, **settings) as console:
        assert (await (await console.browser()).get("/", headers={"X-Forwarded-User": "ada@example.com"})).status == 303


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"CONSOLE_HOST": "0.0.0.0"}, "CONSOLE_USERS"),
        ({"CONSOLE_HOST": "0.0.0.0", "CONSOLE_USERS": "users"}, "CONSOLE_URL"),
        ({"CONSOLE_URL": "http://console.example.com"}, "https://"),
        ({"CONSOLE_USER_HEADER": "X-Forwarded-User"}, "CONSOLE_TRUSTED_PROXIES"),
    ],
)
async def test_open_doors_are_refused(redis_url: str, tmp_path: Path, variables: dict[str, str], told: str) -> None:
    """Settings that would let in everybody stop the start, and say what to set."""
    with pytest.raises(SettingsError, match=told):
        async with running_console(redis_url, tmp_path, **variables):
            pass
