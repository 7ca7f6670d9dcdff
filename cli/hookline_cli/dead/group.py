"""`hookline dead`: puts its subcommands together."""

from typing import ClassVar, Final

import typer

from hookline_cli.lazy import LazyGroup, Place

_CODES: Final = "Exit codes: 0 done, also if there was nothing to do. 1 not done, and why. 2 the command line is wrong."
_LONG: Final = f"{_CODES} 130 Ctrl-C: the same command goes on."


class DeadCommands(LazyGroup):
    """Every subcommand, in the order of --help."""

    places: ClassVar = {
        "list": Place("hookline_cli.dead.list:list_letters", epilog=_CODES),
        "show": Place("hookline_cli.dead.show:show_letter", epilog=_CODES),
        "replay": Place("hookline_cli.dead.replay:replay", epilog=_LONG),
        "discard": Place("hookline_cli.dead.discard:discard", epilog=_LONG),
    }


dead = typer.Typer(cls=DeadCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@dead.callback()
def about() -> None:
    """Look at dead letters, replay them, or discard them.

    Example: `hookline dead list --newer-than 2h`
    """
