"""`hookline dev`: `hookline up --reload`, and where there is a tunnel program, a public URL and a number that calls it."""

import asyncio
import importlib.util
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from hookline_cli.dev.page import served
from hookline_cli.dev.tunnels import TunnelError, find_program, tunnel
from hookline_cli.number.commands import point_number, restore_numbers
from hookline_cli.number.saved import SavedNumbers
from hookline_cli.up.up import up
from hookline_processor.settings import ProcessorSettings

_PORT: Final = 8080
_NONE: Final = "none"
_WITHOUT: Final = (
    "There is no tunnel program (cloudflared, ngrok), so Twilio cannot call this machine. `hookline send` and "
    "`hookline forward test` can."
)


def dev(
    forward: Annotated[str | None, typer.Option(help="URL of your app's webhook: http://localhost:3000/sms.")] = None,
    handlers: Annotated[str | None, typer.Option(help="Your handlers, as module:attribute.")] = None,
    number: Annotated[
        str | None, typer.Option(help="Point this number of your account here, and put it back at the end.")
    ] = None,
    tunnel_program: Annotated[
        str | None, typer.Option("--tunnel", help="cloudflared, ngrok or none; by default what is installed.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port for webhooks; 8080 unless INGRESS_PORT is set.")] = None,
    data: Annotated[Path, typer.Option(help="Folder for all data.")] = Path("var"),
) -> None:
    """Start everything for development: Redis, ingress, and a processor that restarts when your code changes.

    It prints the link of a page with the last webhooks, their bodies and answers, where each can be sent again.

    If cloudflared or ngrok is installed, it starts a tunnel, and PUBLIC_URL is its URL. With --number, Twilio calls you there
    until Ctrl-C; the number then gets its old URLs back. `hookline number restore` does that, too, if this process was killed.

    Example: `hookline dev --forward http://localhost:3000/sms`

    Example: `hookline dev --handlers bot:handlers --number +14155550123`
    """
    chosen = port or int(os.environ.get("INGRESS_PORT") or _PORT)
    program = None if tunnel_program == _NONE else find_program(tunnel_program)
    if number and program is None and not os.environ.get("PUBLIC_URL"):
        raise TunnelError(f"--number needs a public URL. {_WITHOUT}")
    with ExitStack() as stack:
        if program is not None:
            os.environ["PUBLIC_URL"] = stack.enter_context(tunnel(program, chosen))
            typer.echo(f"{program.name} makes this machine {os.environ['PUBLIC_URL']}")
        elif not os.environ.get("PUBLIC_URL"):
            typer.echo(_WITHOUT)
        if number:
            if forward:
                os.environ["FORWARD_URL"] = forward
            stack.enter_context(_pointed(number, data))
        typer.echo(f"The last webhooks, with their bodies and answers: {stack.enter_context(served(data))}")
        reload = importlib.util.find_spec("watchfiles") is not None
        up(data=data, port=chosen, handlers=handlers, forward=forward, ingress=1, reload=reload)


@contextmanager
def _pointed(number: str, data: Path) -> Iterator[None]:
    """Let `number` call PUBLIC_URL in the `with` block."""
    settings = ProcessorSettings.load()
    asyncio.run(point_number(settings, data, number, None, yes=False))
    try:
        yield
    finally:
        saved = SavedNumbers(data)
        chosen = {sid: one for sid, one in saved.read().items() if number in (sid, one.number)}
        asyncio.run(restore_numbers(settings, saved, chosen, force=False))
