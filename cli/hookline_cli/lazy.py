"""Import only the command that is called: importing all of them takes longer than most of them run."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

from hookline_shared.lifecycle.process_start import resume_collection


class CommandSource(NamedTuple):
    """The module:attribute of a command, its panel in the list of commands, and the epilog of its help."""

    where: str
    panel: str | None = None
    epilog: str | None = None


class LazyGroup(TyperGroup):
    """A group that imports the module of a command when it is needed."""

    sources: ClassVar[Mapping[str, CommandSource]] = {}
    """The commands by name, in the order of --help."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.commands.update(dict.fromkeys(self.sources))  # type: ignore[arg-type] # only their names are looked at

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in order."""
        return list(self.sources)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return a command, None if there is none of that name."""
        if cmd_name not in self.sources:
            return None
        where, panel, epilog = self.sources[cmd_name]
        module, _, attribute = where.partition(":")
        found = getattr(import_module(module), attribute)
        resume_collection()
        shelf = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=self.rich_markup_mode)
        if not isinstance(found, typer.Typer):
            shelf.command(cmd_name, rich_help_panel=panel, epilog=epilog)(found)
            return get_command(shelf)
        shelf.add_typer(found, name=cmd_name, rich_help_panel=panel, epilog=epilog)
        return cast(TyperGroup, get_command(shelf)).commands[cmd_name]
