"""Everything an operator does at night, without a mouse."""

from typing import TYPE_CHECKING

import redis

from tests.browser.test_pages import visit
from tests.support.console.planted import TEXT, plant_dead_letters

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_keys_move_search_and_help(page: "Page") -> None:
    """`?` explains, digits change the page, `/` searches, `j` and `k` move, and Enter opens."""
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog:not([open])", state="attached")
    page.keyboard.press("2")
    page.wait_for_url("**/dead")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "error"
    page.keyboard.type("jk")
    assert page.input_value("input[name=error]") == "jk"
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.locator(".chosen").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_url("**/dead?group=*")


def test_focus_stays_while_the_page_is_live(page: "Page", redis_client: "redis.Redis") -> None:
    """Somebody who moves through the overview with the keyboard is not thrown back each time that it changes."""
    visit(page, "/")
    page.focus("#status a.bad")
    page.evaluate("document.querySelector('#status a.bad').dataset.old = 'yes'")
    plant_dead_letters(redis_client, TEXT)
    page.wait_for_selector("#status a.bad:not([data-old]):focus")


def test_replay_with_the_keyboard(page: "Page") -> None:
    """`r` leads to the dry run; a reason and Enter carry it out; the page says what came of it."""
    visit(page, "/dead")
    page.keyboard.press("r")
    page.wait_for_url("**/dead/replay*")
    page.focus("input[name=why]")
    page.keyboard.type("handler fixed")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=4 replayed.")
    visit(page, "/audit")
    assert "handler fixed" in page.inner_text("main")
