"""`hookline outbox`: the group of its subcommands."""

from typing import ClassVar, Final

import typer

from hookline_cli.lazy import CommandSource, LazyGroup

_CODES: Final = "Exit codes: 0 listed, or there is nothing. 1 failed; the error says why. 2 invalid command line."
_ACTION_CODES: Final = (
    "Exit codes: 0 done. 1 failed, or nothing could be done; the text says why. 2 invalid command line. 130 interrupted."
)


class OutboxCommands(LazyGroup):
    """Every subcommand, in the order of --help."""

    sources: ClassVar = {
        "list": CommandSource("hookline_cli.outbox.list:list_messages", epilog=_CODES),
        "show": CommandSource("hookline_cli.outbox.show:show_message", epilog=_CODES),
        "retry": CommandSource("hookline_cli.outbox.retry:retry_messages", epilog=_ACTION_CODES),
        "drop": CommandSource("hookline_cli.outbox.retry:drop_messages", epilog=_ACTION_CODES),
    }


outbox = typer.Typer(cls=OutboxCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@outbox.callback()
def about() -> None:
    """List, show, attempt or drop the messages that handlers have sent and Twilio does not have yet. See also `hookline dead`.

    Example: `hookline outbox list`
    """
