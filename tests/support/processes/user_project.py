"""A user's project whose modules have the names of nearly everything that there is."""

import sys
from collections.abc import Container
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

POISON: Final = "a module of the user was imported in the place of"

NEEDED_BY_PYTHON: Final = frozenset(
    {"collections", "contextlib", "functools", "importlib", "keyword", "operator", "reprlib", "types", "typing", "warnings"}
)
"""What `python -m` may import from the working folder before it comes to the module that it is to run."""

_BOT: Final = """
import queue  # the standard library's
from cli import NAME
from hookline import Handlers, Reject
from ingress.rates import RATE
from shared.words import GREETING

handlers = Handlers()

@handlers.on("message.received")
async def answer(event, context):
    from processor.text import shout  # while it runs
    if event.body == "no":
        raise Reject("on purpose")
    print(NAME, RATE, GREETING, shout(event.body), queue.Queue.__module__, flush=True)
"""
HANDLED: Final = "clinic 7 greetings HELLO queue"
"""What the bot prints of a message that says hello."""

_FILES: Final = {
    "bot.py": _BOT,
    "cli/__init__.py": "NAME = 'clinic'",
    "ingress/rates.py": "RATE = 7",
    "shared/__init__.py": "",
    "shared/words.py": "GREETING = 'greetings'",
    "processor/__init__.py": "",
    "processor/text.py": "def shout(text):\n    return text.upper()",
}


def write_project(folder: Path, *, without: Container[str] = ()) -> None:
    """Write a bot with packages of its own, and a file that must not be imported for every other module that is installed."""
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    taken = {"bot", "hookline", "cli", "console", "ingress", "processor", "shared"}
    for name in (sys.stdlib_module_names | packages_distributions().keys()) - taken:
        if name not in without and name.isidentifier():
            (folder / f"{name}.py").write_text(f"print({POISON!r}, __name__, flush=True)\nraise RuntimeError\n")
