"""`hookline retry`: the group of its subcommands."""

from typing import ClassVar, Final

import typer

from hookline_cli.lazy import CommandSource, LazyGroup

_CODES: Final = "Exit codes: 0 done, or nothing to do. 1 failed; the error says why. 2 invalid command line."
_LONG: Final = f"{_CODES} 130 interrupted; run the same command again to continue."


class RetryCommands(LazyGroup):
    """Every subcommand, in the order of --help."""

    sources: ClassVar = {
        "list": CommandSource("hookline_cli.retry.list:list_waiting", epilog=_CODES),
        "now": CommandSource("hookline_cli.retry.now:retry_now", epilog=_LONG),
        "drop": CommandSource("hookline_cli.retry.drop:drop", epilog=_LONG),
    }


retry = typer.Typer(cls=RetryCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@retry.callback()
def about() -> None:
    """List the conversations that wait for a retry, a breaker, a pause or a handler; attempt them now, or drop their events.

    Example: `hookline retry list`
    """
