"""`hookline dead`: the group of its subcommands."""

from typing import ClassVar

import typer

from hookline_cli.lazy import CommandSource, LazyGroup
from hookline_cli.output.exit_codes import DONE, DONE_OR_INTERRUPTED


class DeadCommands(LazyGroup):
    """Every subcommand, in the order of --help."""

    sources: ClassVar = {
        "list": CommandSource("hookline_cli.dead.list:list_letters", epilog=DONE),
        "show": CommandSource("hookline_cli.dead.show:show_letter", epilog=DONE),
        "replay": CommandSource("hookline_cli.dead.replay:replay", epilog=DONE_OR_INTERRUPTED),
        "discard": CommandSource("hookline_cli.dead.discard:discard", epilog=DONE_OR_INTERRUPTED),
    }


dead = typer.Typer(cls=DeadCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@dead.callback()
def about() -> None:
    """List, show, replay or discard dead letters.

    Example: `hookline dead list --newer-than 2h`
    """
