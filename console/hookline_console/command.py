"""`hookline console`: the web console."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from hookline_cli.output.operator import who_note
from hookline_cli.output.options import AdminPorts, DataFolder
from hookline_cli.redis_session import HIDDEN_REDIS
from hookline_cli.settings.console import ConsoleSettings
from hookline_cli.settings.running import find_running
from hookline_shared.clock import SystemClock
from hookline_shared.distribution import install_command
from hookline_shared.errors import HooklineError, SettingsError
from hookline_shared.observability.logs import configure_logs, get_logger

_NEEDS: Final = ("argon2", "jinja2")

console = typer.Typer(add_completion=False, pretty_exceptions_enable=False, subcommand_metavar="[password]")


class MissingExtraError(HooklineError):
    """The packages of the console are not installed."""

    def __init__(self) -> None:
        super().__init__(f"The console needs packages that are not installed: {install_command('console')}")


@console.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of CONSOLE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port, instead of CONSOLE_PORT; 0: any.")] = None,
    admin: AdminPorts = None,
    data: DataFolder = Path("var"),
) -> None:
    """See and fix everything in a browser, until Ctrl-C. Without settings, only this machine reaches it, by a link it prints.

    Everybody sees numbers and texts masked; who may act, and who may reveal, is a matter of roles: see docs/console.md.

    Example: `hookline console`

    Example: `hookline console --port 9000 --admin 10.0.0.5:9080 --admin 10.0.0.6:9081`
    """
    if context.invoked_subcommand is not None:
        return
    _check_packages()
    from hookline_cli.status.collector import CollectorSettings, find_addresses  # noqa: PLC0415 - after the check of what is installed
    from hookline_console.app import Where, build_console  # noqa: PLC0415
    from hookline_shared.lifecycle.service import EXIT_SETTINGS, run  # noqa: PLC0415

    running = find_running(data)
    if running.hidden_redis:
        raise HooklineError(HIDDEN_REDIS)
    own = {"CONSOLE_HOST": host, "CONSOLE_PORT": None if port is None else str(port)}
    named = dict(running.adopted) | {name: value for name, value in own.items() if value is not None}
    try:
        settings, statuses = ConsoleSettings.load(named), CollectorSettings.load(named)
    except SettingsError as error:
        sys.stderr.write(f"hookline: {error}\n")
        raise typer.Exit(EXIT_SETTINGS) from None
    configure_logs(settings.log_level, settings.log_format, settings.secrets())
    where = Where(data, find_addresses(admin, running.facts, statuses), who_note(None))
    clock, logger = SystemClock(), get_logger("console")
    raise typer.Exit(run(lambda: build_console(settings, statuses, where, clock, logger, _tell), clock, logger))


@console.command("password", epilog="Exit codes: 0 printed. 1 failed; the error says why. 2 invalid command line.")
def make_password(
    name: Annotated[str, typer.Argument(help="Who signs in with it.")],
    roles: Annotated[
        list[str] | None, typer.Option("--role", help="operator (acts) or revealer (sees numbers and texts); may be repeated.")
    ] = None,
) -> None:
    """Ask for a password, and print the line for it in the file of CONSOLE_USERS. The password itself is kept nowhere.

    Example: `hookline console password ada --role operator >> console-users`
    """
    _check_packages()
    from hookline_console.access.passwords import hash_line  # noqa: PLC0415 - an extra
    from hookline_console.access.people import parse_roles  # noqa: PLC0415

    if ":" in name or not name.isprintable() or not name.strip():
        raise HooklineError("A name may have any characters but a colon and control characters.")
    granted = parse_roles(roles or ())
    typer.echo(hash_line(name, granted, typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)))


def _check_packages() -> None:
    if not all(map(find_spec, _NEEDS)):
        raise MissingExtraError


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
