"""Every page in a real browser: it loads without complaint, assistive technology can use it, and it fits a phone."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.console.planted import SECRETS, SID

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE: Final = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PATHS: Final = (
    "/",
    "/dead",
    "/dead/replay",
    "/dead/discard?reason=exhausted",
    "/waiting",
    "/waiting/retry",
    "/outbox",
    "/conversations",
    f"/events/{SID}",
    "/events",
    "/services",
    "/jobs",
    "/audit",
)
"""The pages with an address that is known before."""


def visit(page: "Page", path: str) -> None:
    """Show a page, once it has loaded what it asks for."""
    page.goto(re.sub(r"^(\w+://[^/]+).*", rf"\1{path}", page.url))
    if path == "/":
        page.wait_for_selector(".charts, .charts-place .empty")


def violations(page: "Page") -> list[str]:
    """Return what axe finds wrong in the page."""
    page.evaluate(f"{AXE.read_text()}\n; undefined")
    found: dict[str, Any] = page.evaluate("rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES)
    return [f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes']]}" for one in found["violations"]]


def every_path(page: "Page") -> list[str]:
    """Return the known pages, and one of each that they lead to."""
    paths = list(PATHS)
    for start, pattern in (("/dead", r"/dead/\d+:.*"), ("/dead", r"/dead\?group=.*"), ("/conversations", r"/conversations/.*")):
        visit(page, start)
        links = [link.get_attribute("href") or "" for link in page.query_selector_all("main a")]
        paths.append(next(link for link in links if re.fullmatch(pattern, link)))
    return paths


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(page: "Page", scheme: Any) -> None:
    """axe finds nothing against WCAG 2.2 AA on any page, in both themes, and nobody's name or number is on it."""
    page.emulate_media(color_scheme=scheme)
    found = {}
    for path in every_path(page):
        visit(page, path)
        found[path] = violations(page) + [secret for secret in SECRETS if secret in page.content()]
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_pages_fit_a_phone(page: "Page") -> None:
    """No page is wider than a phone: only tables scroll, by themselves."""
    page.set_viewport_size({"width": 375, "height": 700})
    wide = {}
    for path in every_path(page):
        visit(page, path)
        wide[path] = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert {path: pixels for path, pixels in wide.items() if pixels > 0} == {}


def test_revealed_script_is_text(page: "Page") -> None:
    """A script in a message body is shown when somebody reveals it, and does nothing."""
    for nth in range(4):
        visit(page, "/dead")
        page.locator("ul.rows").last.locator("li a.mono").nth(nth).click()
        page.fill("input[name=why]", "test")
        page.click("text=Reveal >> nth=-1")
        page.wait_for_selector("text=Numbers and texts on this page are shown")
        if "<script>alert" in page.inner_text("main"):
            return
    raise AssertionError("the script is on no page")


def test_theme_is_remembered(page: "Page") -> None:
    """The button changes the theme, also of the next page."""
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    changed = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert changed != before
    visit(page, "/dead")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == changed


def test_sign_in_page_is_accessible(page: "Page") -> None:
    """And signing out leads there."""
    page.click("text=Sign out")
    page.wait_for_selector("text=Print a new link in the terminal")
    assert violations(page) == []
