"""`hookline mcp`: a server of the Model Context Protocol, for assistants."""

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from hookline_cli.output.operator import who_note
from hookline_cli.output.options import AdminPorts, DataFolder
from hookline_cli.output.redaction import Redaction
from hookline_cli.redis_session import find_settings
from hookline_cli.settings.running import find_running
from hookline_cli.status.collector import CollectorSettings, find_addresses
from hookline_shared.distribution import install_command
from hookline_shared.errors import HooklineError


class MissingExtraError(HooklineError):
    """The package of the protocol is not installed."""

    def __init__(self) -> None:
        super().__init__(f"The MCP server needs a package that is not installed: {install_command('mcp')}")


def mcp(
    allow_actions: Annotated[
        bool, typer.Option("--allow-actions", help="Offer tools that replay dead letters and retry, too. Each use is recorded.")
    ] = False,
    reveal: Annotated[bool, typer.Option("--reveal", help="Give numbers, keys and texts to the assistant unmasked.")] = False,
    admin: AdminPorts = None,
    data: DataFolder = Path("var"),
) -> None:
    """Serve the Model Context Protocol on standard input and output, until the client ends it. An assistant starts it.

    Its tools tell what `status`, `dead`, `show`, `retry list`, `outbox`, `ledger search` and `explain` do, masked. Without
    `--allow-actions`, none changes anything.

    Example: `claude mcp add hookline -- hookline mcp --data var`
    """
    if find_spec("mcp") is None:
        raise MissingExtraError
    from hookline_cli.mcp.server import make_server  # noqa: PLC0415 - an extra
    from hookline_cli.mcp.tools import Tools  # noqa: PLC0415

    running, settings = find_running(data), find_settings(data)
    statuses = CollectorSettings.load(running.adopted)
    addresses = find_addresses(admin, running.facts, statuses)
    tools = Tools(settings, statuses, addresses, data, Redaction(reveal=reveal), f"mcp:{who_note(None)}")
    asyncio.run(make_server(tools, actions=allow_actions).run_stdio_async())
