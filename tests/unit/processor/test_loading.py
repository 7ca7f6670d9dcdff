"""Importing the user's handlers: from where, and what is said when it does not work."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from hookline_processor.api.errors import HandlersError
from hookline_processor.loading.loading import load, working_folder
from hookline_processor.loading.user_folder import UserFolder
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import SettingsError

HANDLERS = "from hookline import Handlers\nhandlers = Handlers()\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield the working folder of a user, which leaves no trace in the modules and the path of the tests."""
    before = dict(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in sys.modules.keys() - before.keys():
        if name.partition(".")[0] in {file.stem for file in tmp_path.iterdir()}:  # ours stay: their metrics are registered once
            del sys.modules[name]


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("files", "location", "messages"),
    [
        ({}, "no_such_bot:handlers", ["there is no module no_such_bot in /", "Start from its folder, or set PYTHONPATH."]),
        ({"my_bot.py": ""}, "mybot:handlers", ["there is no module mybot", "Did you mean my_bot:handlers?"]),
        ({"app/my_bot.py": ""}, "app.mybot:all", ["there is no module app.mybot", "Did you mean app.my_bot:all?"]),
        ({"my_bot.py": ""}, "my_bot.handlers:all", ["there is no module my_bot.handlers"]),
        ({"my_bot.py": ""}, "my_bot:handlers", ["handlers does not exist in my_bot; it must be a Handlers()."]),
        ({"my_bot.py": "handlers = 5"}, "my_bot:handlers", ["handlers is a int in my_bot"]),
        ({"my_bot.py": HANDLERS}, "my_bot:handler", ["handler does not exist", "Did you mean my_bot:handlers?"]),
        ({"my_bot.py": HANDLERS + "more = Handlers()"}, "my_bot:x", ["Did you mean my_bot:handlers or my_bot:more?"]),
        ({"my_bot.py": "\nboom"}, "my_bot:handlers", ["failed with NameError", "/my_bot.py, line 2)"]),
        ({"my_bot.py": "\n\ndef ("}, "my_bot:handlers", ["failed with SyntaxError", "/my_bot.py, line 3)"]),
        ({"my_bot.py": "import own", "own.py": "\nx ="}, "my_bot:handlers", ["SyntaxError", "/own.py, line 2)"]),
        ({"my_bot.py": "raise ValueError('one\\ntwo')"}, "my_bot:handlers", ["ValueError: one two (", "my_bot.py, line 1)"]),
        (
            {"my_bot.py": "import own", "own.py": "\nimport no_such_dependency.inside"},
            "my_bot:handlers",
            ["importing my_bot needs the module no_such_dependency, which is not there (", "/own.py, line 2)", "Install it"],
        ),
        (
            {"my_bot.py": "import json\njson.loads('')"},
            "my_bot:handlers",
            ["failed with JSONDecodeError", "/my_bot.py, line 2)"],
        ),
        (
            {"my_bot.py": "import sys\nsys.exit(3)"},
            "my_bot:handlers",
            ["importing my_bot ends the process with SystemExit(3)", "/my_bot.py, line 2)"],
        ),
        ({"my_bot.py": "raise KeyboardInterrupt"}, "my_bot:handlers", ["ends the process with KeyboardInterrupt()"]),
        (
            {"my_bot.py": "from own import x", "own.py": "\nfrom my_bot import y\nx = 1"},
            "my_bot:handlers",
            ["ImportError: cannot import name 'y'", "circular import", "/own.py, line 2)"],
        ),
        (
            {"app/my_bot.py": HANDLERS},
            "app:handlers",
            ["app is a folder without __init__.py; name the module in it that has them: app.my_bot."],
        ),
        (
            {"app/__init__.py": "", "app/my_bot.py": HANDLERS},
            "app:handlers",
            ["app is a package; name the module in it that has them: app.my_bot."],
        ),
        ({}, "hookline:handlers", ["hookline is a module of Hookline. Name the module of yours"]),
        ({}, "hookline_processor.settings:handlers", ["hookline_processor.settings is a module of Hookline"]),
        (
            {"queue.py": HANDLERS},
            "queue:handlers",
            ["queue.py in /", "queue is a module of the standard library. Rename yours"],
        ),
        ({"redis.py": HANDLERS}, "redis:handlers", ["redis.py in /", "a package that Hookline needs. Rename yours"]),
        ({"hookline.py": HANDLERS}, "hookline:handlers", ["hookline.py in /", "a package that Hookline needs. Rename yours"]),
        (
            {"hookline/my_bot.py": HANDLERS},
            "hookline.my_bot:handlers",
            ["no module hookline.my_bot in /", ". Start from", "hookline is a module of a package that Hookline needs."],
        ),
        (
            {"my_bot.py": "class Odd(BaseException): ...\nraise Odd('x')"},
            "my_bot:handlers",
            ["failed with Odd: x (", "line 2)"],
        ),
        (
            {"my_bot.py": "from queue import Mine", "queue.py": "class Mine: ..."},
            "my_bot:handlers",
            ["cannot import name 'Mine'", "/my_bot.py, line 1)", "queue.py in /", "Rename yours."],
        ),
    ],
)
def test_wrong_location_is_explained(folder: Path, files: Mapping[str, str], location: str, messages: list[str]) -> None:
    """Whatever is wrong with PROCESSOR_HANDLERS is said in one line that names it."""
    write(folder, files)
    with pytest.raises(HandlersError) as caught:
        load(location, working_folder())
    text = str(caught.value)
    assert text.startswith(f"PROCESSOR_HANDLERS={location}: ")
    assert [message for message in messages if message not in text] == [], text
    assert "\n" not in text


@pytest.mark.parametrize("location", ["my_bot:handlers", "app.my_bot:handlers", "package.my_bot:handlers"])
def test_handlers_are_found(folder: Path, location: str) -> None:
    """In a module of the working folder, or of a folder in it, with or without __init__.py."""
    write(folder, dict.fromkeys(["my_bot.py", "app/my_bot.py", "package/my_bot.py"], HANDLERS) | {"package/__init__.py": ""})
    users = working_folder()
    load(location, users)
    assert users.hidden() == []


def test_users_module_wins_over_an_installed_one(folder: Path) -> None:
    """The folder comes after the standard library and before what is installed."""
    write(folder, {"my_bot.py": "import iniconfig, queue\n" + HANDLERS, "iniconfig.py": "mine = 1", "queue.py": "mine = 1"})
    sys.modules.pop("iniconfig", None)
    load("my_bot:handlers", working_folder())
    assert (sys.modules["iniconfig"].__file__ or "").startswith(str(folder))
    assert sys.path.index(os.__file__.rpartition("/")[0]) < sys.path.index(str(folder))


def test_users_hookline_does_not_hide_hookline(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `hookline.py` beside the bot is what is hidden, since the bot imports ours."""
    write(folder, {"my_bot.py": HANDLERS, "hookline.py": "mine = 1"})
    monkeypatch.delitem(sys.modules, "hookline", raising=False)
    users = working_folder()
    load("my_bot:handlers", users)
    assert [module.name for module in users.hidden()] == ["hookline"]


def test_hidden_modules_that_matter_are_named(folder: Path) -> None:
    """Those that the user's modules import, wherever they do; not those that nobody asks for, nor folders of other things."""
    write(
        folder,
        {
            "my_bot.py": HANDLERS + "import own\ndef later():\n    from redis import mine",
            "own.py": "import queue",
            "queue.py": "",
            "redis.py": "",
            "types.py": "",
            "logging/today.log": "",
        },
    )
    users = working_folder()
    load("my_bot:handlers", users)
    assert [module.name for module in users.hidden()] == ["queue", "redis"]


def test_folder_of_installed_packages_is_no_mistake(folder: Path) -> None:
    """An image may have packages beside the handlers, some of them Hookline's own, too."""
    write(folder, {"my_bot.py": HANDLERS + "import redis", "redis/__init__.py": "", "redis-1.dist-info/RECORD": ""})
    users = working_folder()
    load("my_bot:handlers", users)
    assert users.hidden() == []


def test_environment_below_the_folder_is_not_the_users(tmp_path: Path) -> None:
    """A project often has its environment in itself."""
    write(tmp_path, {"bot.py": "", "shared/db/rows.py": "", "shared/__init__.py": "", ".venv/lib/site-packages/yaml.py": ""})
    users = UserFolder(tmp_path)
    assert users.owns(str(tmp_path / "bot.py"))
    assert users.owns(str(tmp_path / "shared" / "db" / "rows.py"))
    assert not users.owns(str(tmp_path / ".venv" / "lib" / "site-packages" / "yaml.py"))
    assert not users.owns("/usr/lib/python3/os.py")


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("bot.py:handlers", "write it as Python imports it, bot:handlers"),
        ("./bot.py:handlers", "write it as Python imports it, bot:handlers"),
        ("bot.py", "write it as Python imports it, bot:handlers"),
        ("./bot:handlers", "write it as Python imports it, bot:handlers"),
        ("src/bot.py", "src.bot:handlers, or bot:handlers when started in src"),
        ("/opt/bot/bot.py:all", "bot:all when started in /opt/bot"),
        ("../bot.py:all", "bot:all when started in .."),
        ("/:", "write it as Python imports it"),
        ("bot", "module:attribute, for example bot:handlers"),
    ],
)
def test_file_is_no_location(location: str, message: str) -> None:
    """The path of a file is refused with what it should be."""
    with pytest.raises(SettingsError, match=message):
        ProcessorSettings.load({"PROCESSOR_HANDLERS": location})


def test_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was removed under the process is reported."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(HandlersError, match="working folder cannot be used"):
        working_folder()
