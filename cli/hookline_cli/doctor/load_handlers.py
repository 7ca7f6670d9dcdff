"""A process of its own, with the arguments module:attribute DESCRIPTOR TIMEOUT_S: import handlers, write the result there.

What the module prints goes elsewhere, and whatever else it does affects only this process.
"""

import os
import sys

import msgspec

from hookline_processor.api.errors import HandlersError
from hookline_processor.api.handlers import Handlers
from hookline_processor.loading.loading import load, working_folder
from hookline_shared.catalogue.kinds import SINGLE


class Loaded(msgspec.Struct):
    """The result.

    There is a `problem`; or the kinds without a family that are handled or ignored on purpose, and those that are not. `hidden`
    are modules of the user that cannot be imported, because another module has the same name. `longest_timeout_s` is that of
    any handler.
    """

    problem: str = ""
    hidden: list[str] = []
    handled: list[str] = []
    unhandled: list[str] = []
    longest_timeout_s: float = 0


def _examine(location: str, timeout_s: float) -> Loaded:
    try:
        folder = working_folder()
        handlers = load(location, folder)
    except HandlersError as error:
        return Loaded(problem=str(error))
    handled = [kind for kind in SINGLE if _handles(handlers, kind)]
    hidden = [str(module) for module in folder.hidden()]
    return Loaded(
        handled=handled,
        hidden=hidden,
        unhandled=[kind for kind in SINGLE if kind not in handled],
        longest_timeout_s=handlers.longest_timeout(timeout_s),
    )


def _handles(handlers: Handlers, kind: str) -> bool:
    try:
        handlers.find(kind)
    except LookupError:
        return False
    return True


def main() -> None:
    """Do it."""
    os.write(int(sys.argv[2]), msgspec.json.encode(_examine(sys.argv[1], float(sys.argv[3]))))
