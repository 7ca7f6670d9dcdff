"""The `hookline` command: puts its subcommands together."""

import sys
from contextlib import suppress
from typing import Annotated, ClassVar, Final

import typer

from hookline_cli.lazy import CommandSource, LazyGroup
from hookline_shared.errors import HooklineError, SettingsError
from hookline_shared.settings.env_file import apply_env_file

_START: Final = "Start and try"
_LOOK: Final = "Inspect and fix"
_SERVICE: Final = "Exit codes: 0 stopped by a signal. 1 failed. 2 invalid settings or command line."


def _codes(fine: str, wrong: str) -> str:
    return f"Exit codes: 0 {fine}. 1 {wrong}. 2 invalid command line."


class Commands(LazyGroup):
    """Every subcommand, in the order of --help."""

    sources: ClassVar = {
        "new": CommandSource(
            "hookline_cli.new.new:new", _START, _codes("the project was written", "a file exists already; nothing was written")
        ),
        "up": CommandSource(
            "hookline_cli.up.up:up", _START, _codes("stopped with Ctrl-C", "a process could not start, or ended by itself")
        ),
        "dev": CommandSource(
            "hookline_cli.dev.dev:dev",
            _START,
            _codes("stopped with Ctrl-C", "a process or the tunnel could not start, or ended"),
        ),
        "ingress": CommandSource("hookline_cli.services:ingress", _START, _SERVICE),
        "processor": CommandSource("hookline_cli.services:processor", _START, _SERVICE),
        "send": CommandSource(
            "hookline_cli.send.send:send",
            _START,
            _codes("every answer was a 2xx", "an answer was not a 2xx, or nothing was sent"),
        ),
        "status": CommandSource(
            "hookline_cli.status.status:status",
            _LOOK,
            _codes("no problem, or --watch was stopped", "a problem: a service, Redis or a partition without an owner"),
        ),
        "console": CommandSource("hookline_console.command:console", _LOOK, _SERVICE),
        "doctor": CommandSource(
            "hookline_cli.doctor.doctor:doctor", _LOOK, _codes("no problem; there may be warnings", "a problem")
        ),
        "show": CommandSource("hookline_cli.show.show:show", _LOOK, _codes("found", "not found")),
        "tail": CommandSource("hookline_cli.tail.tail:tail", _LOOK, _codes("stopped with Ctrl-C", "it could not start")),
        "dead": CommandSource("hookline_cli.dead.group:dead", _LOOK),
        "retry": CommandSource("hookline_cli.retry.group:retry", _LOOK),
        "forward": CommandSource("hookline_cli.forward.group:forward", _LOOK),
        "number": CommandSource("hookline_cli.number.group:number", _LOOK),
        "outbox": CommandSource("hookline_cli.outbox.group:outbox", _LOOK),
        "pause": CommandSource("hookline_cli.pause.pause:pause", _LOOK, _codes("paused", "failed; the error says why")),
        "resume": CommandSource(
            "hookline_cli.pause.resume:resume", _LOOK, _codes("resumed, or nothing was paused", "there is no such pause")
        ),
        "ledger": CommandSource("hookline_cli.ledger.ledger:app", _LOOK),
        "alert": CommandSource("hookline_cli.alert.group:alert", _LOOK),
        "explain": CommandSource(
            "hookline_cli.explain.explain:explain", _LOOK, _codes("explained", "the code is not in the table")
        ),
        "mcp": CommandSource("hookline_cli.mcp.command:mcp", _LOOK, _codes("ended with its client", "it could not start")),
        "config": CommandSource(
            "hookline_cli.config:config",
            _LOOK,
            "Exit codes: 0 every setting is valid. 2 invalid settings or command line.",
        ),
    }


app = typer.Typer(
    cls=Commands,
    epilog="Tab completion for your shell: hookline --install-completion",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from hookline_shared.distribution import version_line  # noqa: PLC0415 - what reads metadata takes time that only this needs

        typer.echo(version_line())
        raise typer.Exit


_Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]


@app.callback()
def hookline(version: _Version = False) -> None:
    """Receives Twilio webhooks in milliseconds, loses none, and runs your handler for each.

    Example: `hookline up`, and in a second terminal `hookline send message --body hello`
    """
    from hookline_cli.settings.rows import secrets  # noqa: PLC0415 - not for --help

    with suppress(SettingsError):  # a command that needs settings loads them, and says what is wrong
        apply_env_file(secrets())


def run() -> None:
    """Run the command line; a person's mistakes end in one line and exit code 1. `hookline_cli.start` calls it."""
    try:
        app()
    except HooklineError as error:
        sys.stderr.write(f"hookline: {error}\n")
        sys.exit(1)
