"""`hookline forward`: the group of its subcommands."""

from typing import ClassVar, Final

import typer

from hookline_cli.lazy import CommandSource, LazyGroup

_CODES: Final = "Exit codes: 0 the app accepted it. 1 it did not, or there is no forward. 2 invalid settings or command line."


class ForwardCommands(LazyGroup):
    """Every subcommand, in the order of --help."""

    sources: ClassVar = {"test": CommandSource("hookline_cli.forward.try_app:try_app", epilog=_CODES)}


forward = typer.Typer(cls=ForwardCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@forward.callback()
def about() -> None:
    """Try the apps to which webhooks are forwarded. docs/forwarding.md explains forwards.

    Example: `hookline forward test`
    """
