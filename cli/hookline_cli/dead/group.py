"""`hookline dead`: the group of its subcommands."""

from typing import ClassVar, Final

import typer

from hookline_cli.lazy import CommandSource, LazyGroup

_CODES: Final = "Exit codes: 0 done, or nothing to do. 1 failed; the error says why. 2 invalid command line."
_LONG: Final = f"{_CODES} 130 interrupted; run the same command again to continue."


class DeadCommands(LazyGroup):
    """Every subcommand, in the order of --help."""

    sources: ClassVar = {
        "list": CommandSource("hookline_cli.dead.list:list_letters", epilog=_CODES),
        "show": CommandSource("hookline_cli.dead.show:show_letter", epilog=_CODES),
        "replay": CommandSource("hookline_cli.dead.replay:replay", epilog=_LONG),
        "discard": CommandSource("hookline_cli.dead.discard:discard", epilog=_LONG),
    }


dead = typer.Typer(cls=DeadCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@dead.callback()
def about() -> None:
    """List, show, replay or discard dead letters.

    Example: `hookline dead list --newer-than 2h`
    """
