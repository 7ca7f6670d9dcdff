"""The `hookline` command: puts its subcommands together."""

import sys
from typing import ClassVar

import typer

from cli.lazy import LazyGroup
from shared.errors import HooklineError


class Commands(LazyGroup):
    """Every subcommand, in the order of --help."""

    places: ClassVar = {
        "up": "cli.up:up",
        "send": "cli.send:send",
        "status": "cli.status:status",
        "show": "cli.show:show",
        "tail": "cli.tail:tail",
        "dead": "cli.dead.group:dead",
        "config": "cli.config:config",
    }


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def hookline() -> None:
    """Receives Twilio webhooks in milliseconds, loses none, and runs your handler for each."""


def main() -> None:
    """Run the command line; a person's mistakes end in one line and exit code 1."""
    try:
        app()
    except HooklineError as error:
        sys.stderr.write(f"hookline: {error}\n")
        sys.exit(1)
