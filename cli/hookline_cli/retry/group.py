"""`hookline retry`: the group of its subcommands."""

from typing import ClassVar

import typer

from hookline_cli.lazy import CommandSource, LazyGroup
from hookline_cli.output.exit_codes import DONE, DONE_OR_INTERRUPTED


class RetryCommands(LazyGroup):
    """Every subcommand, in the order of --help."""

    sources: ClassVar = {
        "list": CommandSource("hookline_cli.retry.list:list_waiting", epilog=DONE),
        "now": CommandSource("hookline_cli.retry.now:retry_now", epilog=DONE_OR_INTERRUPTED),
        "drop": CommandSource("hookline_cli.retry.drop:drop", epilog=DONE_OR_INTERRUPTED),
    }


retry = typer.Typer(cls=RetryCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@retry.callback()
def about() -> None:
    """List the conversations that wait for a retry, a breaker, a pause or a handler; attempt them now, or drop their events.

    Example: `hookline retry list`
    """
