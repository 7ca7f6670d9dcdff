"""Which changes `hookline up --reload` looks at, and what it says where it cannot."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

from hookline_cli.admin_address import LOOPBACK
from hookline_cli.main import app
from hookline_cli.up.child_process import UpError, not_ready
from hookline_cli.up.reload import changes, is_source, named
from hookline_shared.distribution import install_command

_FOLDER = Path("/home/me/.local/var/shop")
_DATA = _FOLDER / "kept"


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("bot.py", True),
        ("shop/orders/answers.py", True),
        ("tests/test_bot.py", True),
        ("variable/x.py", True),
        ("bot.pyc", False),
        ("notes.txt", False),
        (".#bot.py", False),
        (".venv/lib/python3.13/site-packages/x.py", False),
        ("env/lib/python3.13/site-packages/x.py", False),
        ("web/node_modules/gyp/x.py", False),
        (".git/hooks/x.py", False),
        ("__pycache__/x.py", False),
        ("var/x.py", False),
        ("kept/x.py", False),
        ("/home/me/elsewhere/x.py", False),
    ],
)
def test_what_counts(path: str, counts: bool) -> None:
    """Python code below the working folder counts, wherever that folder is; what tools and Hookline keep there does not."""
    assert is_source(_FOLDER, _DATA, _FOLDER / path) is counts


def test_many_changes_are_one_name_and_a_number() -> None:
    """The line stays a line, however much a checkout changes."""
    assert named({"bot.py"}) == "bot.py"
    assert named({"shop/b.py", "bot.py", "x.py"}) == "bot.py and 2 more"


def test_without_watchfiles_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started, and the message has the command that helps."""
    monkeypatch.setattr("hookline_cli.up.reload.find_spec", lambda _name: None)
    error = CliRunner().invoke(app, ["up", "--reload"]).exception
    assert isinstance(error, UpError)
    assert str(error).endswith(f"is not installed. Install it: {install_command('reload')}")
    assert "pip install 'watchfiles" in str(error)


async def test_folder_that_cannot_be_watched(tmp_path: Path) -> None:
    """It is named, with a way out."""
    with pytest.raises(UpError, match=r"/gone cannot be watched for changes: .* Start without --reload"):
        await anext(changes(tmp_path / "gone", tmp_path, asyncio.Event()))


async def test_blocked_event_loop_is_not_waited_for() -> None:
    """A service whose loop is blocked takes connections and answers none: Ctrl-C and changes must be noticed meanwhile."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        async with aiohttp.ClientSession() as session:
            assert await not_ready(session, listening.getsockname()[1]) == "it does not answer on its admin port"
