"""`hookline send`: a correctly signed webhook, as Twilio would send it."""

import asyncio
import ipaddress
import os
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import aiohttp
import typer

from cli.samples import Sample, SignedRequest, parameters, sign
from cli.workspace import Facts, Workspace
from ingress.signature import parse_secrets
from shared.errors import HooklineError

_TIMEOUT_S = 15  # as long as Twilio waits

_ROUTES = {Sample.MESSAGE: "message", Sample.STATUS: "status", Sample.CALL: "voice", Sample.CALL_STATUS: "call-status"}


class SendError(HooklineError):
    """A webhook could not be sent or was not accepted."""


def send(
    what: Annotated[Sample, typer.Argument(help="Which kind of webhook.")],
    body: Annotated[str, typer.Option(help="Text of a message.")] = "Hello from hookline send",
    sender: Annotated[str, typer.Option("--from", help="Number it comes from.")] = "+15005550006",
    recipient: Annotated[str, typer.Option("--to", help="Number it goes to.")] = "+15005550001",
    param: Annotated[list[str] | None, typer.Option(help="Any parameter as Name=value; may be repeated.")] = None,
    url: Annotated[str | None, typer.Option(help="Where to, if not to the pair that `hookline up` started.")] = None,
    token: Annotated[str | None, typer.Option(envvar="TWILIO_AUTH_TOKEN", help="Auth token to sign with.")] = None,
    data: Annotated[Path, typer.Option(help="Folder of `hookline up`.")] = Path("var"),
    yes_really: Annotated[bool, typer.Option("--yes-really", help="Allow a target that is not this machine.")] = False,
) -> None:
    """Send one signed webhook and show the answer and how long it took.

    Example: hookline send message --body hello --from +14155550123
    """
    facts = Workspace(data).announced()
    target = url or _default_url(facts, what)
    if not yes_really and not _is_loopback(target):
        raise SendError(f"{target} is not on this machine. If you mean it, add --yes-really.")
    secrets = parse_secrets(filter(None, (token or facts.auth_token).split(",")))
    if not secrets:
        raise SendError("No auth token to sign with. Start `hookline up` first, or set TWILIO_AUTH_TOKEN as ingress has it.")
    params = {**parameters(what, sender, recipient, body), **dict(_split(item) for item in param or ())}
    status, answer, seconds = asyncio.run(_post(sign(target.partition("#")[0], params, secrets[0].value.decode())))
    typer.echo(f"{status} {answer}".rstrip() + f"  in {seconds * 1000:.1f} ms")
    if status >= 300:  # noqa: PLR2004 - not a 2xx
        raise SendError(_explain(status))


def _default_url(facts: Facts, what: Sample) -> str:
    base = facts.public_url or os.environ.get("PUBLIC_URL", "http://127.0.0.1:8080").split(",")[0]
    return f"{base.rstrip('/')}/twilio/{_ROUTES[what]}"


def _split(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not name or not equals:
        raise SendError(f"--param {item!r} is not of the form Name=value.")
    return name, value


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _post(request: SignedRequest) -> tuple[int, str, float]:
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        started = time.perf_counter()
        try:
            async with session.post(request.url, data=request.body, headers=request.headers) as response:
                answer = await response.text()
                return response.status, answer, time.perf_counter() - started
        except aiohttp.InvalidURL:
            raise SendError(f"{request.url!r} is not a URL. Write it like http://127.0.0.1:8080/twilio.") from None
        except aiohttp.ClientConnectionError:
            raise SendError(f"Nothing answers at {request.url}. Is Hookline running? Start it with `hookline up`.") from None
        except TimeoutError:
            raise SendError(f"No answer within {_TIMEOUT_S} s, which is when Twilio gives up, too.") from None


def _explain(status: int) -> str:
    remedies = {
        403: "The signature was not accepted. Is the token the one ingress was started with, and PUBLIC_URL the one sent to?",
        404: "Ingress has no such route. Webhooks go to /twilio or /twilio/<kind>.",
        503: "Ingress cannot take it now. Its /readyz?verbose, on the admin port, says why.",
    }
    return remedies.get(status, "The webhook was not accepted, and nothing was stored.")
