"""`hookline number`: the group of its subcommands."""

from typing import ClassVar, Final

import typer

from hookline_cli.lazy import CommandSource, LazyGroup

_CODES: Final = "Exit codes: 0 done. 1 failed; the error says why. 2 invalid settings or command line."


class NumberCommands(LazyGroup):
    """Every subcommand, in the order of --help."""

    sources: ClassVar = {
        "show": CommandSource("hookline_cli.number.commands:show", epilog=_CODES),
        "point": CommandSource("hookline_cli.number.commands:point", epilog=_CODES),
        "restore": CommandSource("hookline_cli.number.commands:restore", epilog=_CODES),
    }


number = typer.Typer(cls=NumberCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@number.callback()
def about() -> None:
    """List Twilio's numbers and where they call, point one at Hookline, and put it back.

    It needs TWILIO_ACCOUNT_SID, TWILIO_API_KEY and TWILIO_API_SECRET.

    Example: `hookline number show`
    """
