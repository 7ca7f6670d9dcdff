"""The `hookline` command: puts its subcommands together."""

import sys

import typer

from cli import ledger
from cli.config import config
from cli.send import send
from cli.status import status
from cli.up import up
from shared.errors import HooklineError

app = typer.Typer(
    help="Receives Twilio webhooks in milliseconds, loses none, and runs your handler for each.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up)
app.command()(send)
app.command()(status)
app.command()(config)
app.add_typer(ledger.app, name="ledger")


def main() -> None:
    """Run the command line; a person's mistakes end in one line and exit code 1."""
    try:
        app()
    except HooklineError as error:
        sys.stderr.write(f"hookline: {error}\n")
        sys.exit(1)
