"""Importing only the command that is asked for: all of them together take longer than most of them run."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command


class Place(NamedTuple):
    """Where a command stands, as module:attribute; its panel in the list of commands; and the last words of its help."""

    where: str
    panel: str | None = None
    epilog: str | None = None


class LazyGroup(TyperGroup):
    """A group whose commands stand in modules not yet imported."""

    places: ClassVar[Mapping[str, Place]] = {}
    """By their names, in the order of --help."""

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
        where, panel, epilog = self.places[cmd_name]
        module, _, attribute = where.partition(":")
        found = getattr(import_module(module), attribute)
        shelf = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=self.rich_markup_mode)
        if not isinstance(found, typer.Typer):
            shelf.command(cmd_name, rich_help_panel=panel, epilog=epilog)(found)
            return get_command(shelf)
        shelf.add_typer(found, name=cmd_name, rich_help_panel=panel, epilog=epilog)
        return cast(TyperGroup, get_command(shelf)).commands[cmd_name]
