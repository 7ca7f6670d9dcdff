"""`hookline dead`: puts its subcommands together."""

from typing import ClassVar

import typer

from cli.lazy import LazyGroup


class DeadCommands(LazyGroup):
    """Every subcommand, in the order of --help."""

    places: ClassVar = {
        "list": "cli.dead.list:list_letters",
        "show": "cli.dead.show:show_letter",
        "replay": "cli.dead.replay:replay",
        "discard": "cli.dead.discard:discard",
    }


dead = typer.Typer(name="dead", cls=DeadCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@dead.callback()
def about() -> None:
    """Look at dead letters, replay them, or discard them.

    Example: hookline dead list --newer-than 2h
    """
