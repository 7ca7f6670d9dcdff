"""The `hookline` command: puts its subcommands together."""

import sys
from typing import Final

import typer

from cli import ledger
from cli.config import config
from cli.doctor import doctor
from cli.send import send
from cli.status import status
from cli.up import up
from shared.errors import HooklineError

_START: Final = "Start and try"
_LOOK: Final = "Look and mend"
_CODES: Final = "Exit codes: 0 {fine}. 1 {wrong}. 2 the command line is wrong."

app = typer.Typer(
    help="Receives Twilio webhooks in milliseconds, loses none, and runs your handler for each.",
    epilog="Tab completion for your shell: hookline --install-completion",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _codes(fine: str, wrong: str) -> str:
    return _CODES.format(fine=fine, wrong=wrong)


app.command(rich_help_panel=_START, epilog=_codes("it ran until it was stopped", "a part could not start, or ended by itself"))(
    up
)
app.command(rich_help_panel=_START, epilog=_codes("every answer was a 2xx", "one was not, or nothing was sent"))(send)
app.command(rich_help_panel=_LOOK, epilog=_codes("all is well, or --watch was ended", "something is not as it should be"))(
    status
)
app.command(rich_help_panel=_LOOK, epilog=_codes("nothing is wrong; there may be warnings", "something is"))(doctor)
app.command(rich_help_panel=_LOOK, epilog="Exit codes: 0 every setting is right. 2 some are wrong, or the command line is.")(
    config
)
app.add_typer(ledger.app, name="ledger", rich_help_panel=_LOOK)


def main() -> None:
    """Run the command line; a person's mistakes end in one line and exit code 1."""
    try:
        app()
    except HooklineError as error:
        sys.stderr.write(f"hookline: {error}\n")
        sys.exit(1)
