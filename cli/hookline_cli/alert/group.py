"""`hookline alert`: the group of its subcommands."""

from typing import ClassVar

import typer

from hookline_cli.lazy import CommandSource, LazyGroup


class AlertCommands(LazyGroup):
    """Every subcommand, in the order of --help."""

    sources: ClassVar = {
        "test": CommandSource(
            "hookline_cli.alert.send_test:send_test",
            epilog="Exit codes: 0 the receiver accepted both. 1 it did not, or ALERT_URL is not set. 2 invalid command line.",
        ),
    }


alert = typer.Typer(cls=AlertCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@alert.callback()
def about() -> None:
    """Test the channel to which the services post alerts. Firing alerts are shown by `hookline status`.

    Example: `hookline alert test`
    """
