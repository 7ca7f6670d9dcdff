"""Importing only the command that is asked for: all of them together take longer than most of them run."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command


class LazyGroup(TyperGroup):
    """A group whose commands stand in modules not yet imported: functions, or groups of their own."""

    places: ClassVar[Mapping[str, str]] = {}
    """name -> module:attribute, in the order of --help"""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.commands.update(dict.fromkeys(self.places))  # type: ignore[arg-type] # only their names are looked at

    def list_commands(self, ctx: Any) -> list[str]:
        """Give the names, in their order."""
        return list(self.places)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; None if there is none of that name."""
        if cmd_name not in self.places:
            return None
        module, _, attribute = self.places[cmd_name].partition(":")
        found = getattr(import_module(module), attribute)
        return get_command(found if isinstance(found, typer.Typer) else _alone(cmd_name, found))


def _alone(name: str, command: Any) -> typer.Typer:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name)(command)
    return app
