"""Draws the pictures of the console in docs/images again, in front of real services: `make console-pictures`."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import sync_playwright

from hookline_console.access.passwords import hash_line
from hookline_console.access.people import Role
from tests.support.processes.command import Command, ended, interrupt
from tests.support.servers.ports import free_port
from tests.support.servers.redis_server import RedisServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
_PASSWORD: Final = "correct horse battery"
_SHOP: Final = "+18005551212"
_TALK: Final = (
    ("+14155550123", "Hi! Do you have the blue kettle in stock?"),
    ("+14155550123", "Great. Please send it to Oak Street 7"),
    ("+14155550188", "Can I change my appointment to Friday?"),
    ("+14155550123", "Where is my order 40817?"),
    ("+14155550142", "order 40822 has not arrived"),
    ("+14155550177", "my order came broken"),
    ("+14155550131", "invoice please"),
)
_BOT: Final = """
from hookline import Context, Handlers, MessageReceived, MessageStatus

handlers = Handlers()

@handlers.on(MessageReceived)
async def answer(event: MessageReceived, context: Context) -> None:
    if "order" in event.body:
        raise LookupError(f"the shop knows no order of {event.from_}")
    if "invoice" in event.body:
        raise TimeoutError("billing did not answer within 5 s")

@handlers.on(MessageStatus)
async def note(event: MessageStatus, context: Context) -> None:
    pass
"""
_MOST_LOOKS: Final = 200


def main() -> None:
    """Draw the pictures."""
    with tempfile.TemporaryDirectory() as folder, RedisServer({"appendonly": "yes"}) as server:
        port = free_port()
        command = _command(Path(folder), server.url, port)
        with command.started("up") as up, command.started("console") as console:
            _wait_until_ready(command)
            _talk(command)
            _draw(f"http://127.0.0.1:{port}")
            interrupt(console)
            interrupt(up)


def _command(folder: Path, redis_url: str, port: int) -> Command:
    (folder / "bot.py").write_text(_BOT)
    (folder / "users").write_text(hash_line("ada", frozenset(Role), _PASSWORD))
    ports = {f"{name}_PORT": str(free_port()) for name in ("INGRESS", "INGRESS_ADMIN", "PROCESSOR_ADMIN")}
    settings = {"PROCESSOR_HANDLERS": "bot:handlers", "PROCESSOR_MAX_ATTEMPTS": "2", "PROCESSOR_BACKOFF_BASE_S": "0.1"}
    return Command(
        folder,
        redis_url,
        settings
        | ports
        | {"CONSOLE_PORT": str(port), "CONSOLE_USERS": "users", "HOOKLINE_LEDGER_URL": f"sqlite:///{folder}/ledger.db"},
    )


def _wait_until_ready(command: Command) -> None:
    for _ in range(_MOST_LOOKS):
        if not _run(command, "status"):
            return
    raise RuntimeError("the services are not ready")


def _talk(command: Command) -> None:
    for number, text in _TALK:
        _run(command, "send", "message", "--from", number, "--to", _SHOP, "--body", text)
    failed = ("--param", "MessageStatus=undelivered", "--param", "ErrorCode=30003")
    _run(command, "send", "status", "--from", _SHOP, "--to", "+14155550123", *failed)
    time.sleep(12)  # one more sample of the charts, and the last attempts


def _draw(base: str) -> None:
    path = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1180, "height": 760}).new_page()
        page.goto(base)
        page.fill("input[name=name]", "ada")
        page.fill("input[name=password]", _PASSWORD)
        page.click("main button")
        page.wait_for_selector(".charts")
        _save(page, "console-overview")
        page.click("nav >> text=Dead letters")
        _save(page, "console-dead-letters")
        page.click("ul.rows >> nth=-1 >> a.mono")
        page.click("text=the life of this event")
        page.emulate_media(color_scheme="dark")
        _save(page, "console-event")
        page.emulate_media(color_scheme="light")
        page.click("nav >> text=Conversations")
        page.locator("main .rows li", has_text="something failed").first.locator("a").first.click()
        page.fill("input[name=why]", "picture for the documentation")
        page.click("main >> text=Reveal >> nth=-1")
        page.wait_for_selector("text=Numbers and texts on this page are shown")
        _save(page, "console-conversation")
        page.set_viewport_size({"width": 390, "height": 760})
        page.click("nav >> text=Overview")
        page.wait_for_selector(".charts")
        _save(page, "console-phone")
        browser.close()


def _save(page: "Page", name: str) -> None:
    page.mouse.move(0, 0)
    page.screenshot(path=IMAGES / f"{name}.png", scale="css")


def _run(command: Command, *words: str) -> int:
    with command.started(*words) as process:
        return ended(process).code


if __name__ == "__main__":
    main()
