"""`hookline send`: correctly signed webhooks, as Twilio would send them."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from hookline_cli.addresses import is_loopback
from hookline_cli.output.exit_codes import INTERRUPTED
from hookline_cli.output.options import AsJson, DataFolder
from hookline_cli.send.load_generator import NO_ANSWER, NO_CONNECTION, TIMEOUT_S, LoadGenerator, LoadOutcome, LoadPlan
from hookline_cli.send.load_report import progress, summary
from hookline_cli.send.sendgrid_key import SendGridKey
from hookline_cli.send.target import SendTarget, send_target
from hookline_cli.send.templates import SENDGRID, SHORT, WebhookFactory, WebhookTemplate, find, names, numbers
from hookline_cli.signing import WebhookRequest, sign_webhook
from hookline_cli.workspace import StackFacts, Workspace
from hookline_ingress.signatures.secrets import parse_secrets
from hookline_processor.samples.sids import RECIPIENT, SENDER
from hookline_processor.samples.webhook import Webhook
from hookline_shared.clock import SystemClock
from hookline_shared.errors import HooklineError
from hookline_shared.settings.env_file import read_env_file
from hookline_shared.settings.secret_files import read_secret_files

_VARIABLE: Final = "TWILIO_AUTH_TOKEN"
_AT_ONCE: Final = 10
_GREETING: Final = "Hello from hookline send"
_NOT_STORED: Final = "The webhook was not accepted, and nothing was stored."
_UNVERIFIED: Final = (
    "The signature was rejected. Use the TWILIO_AUTH_TOKEN that ingress was started with, and send to its PUBLIC_URL."
)
_REMEDIES: Final[Mapping[str, str]] = {
    "404": "Ingress has no such route. Webhooks go to /twilio or /twilio/<kind>, and with SENDGRID_PUBLIC_KEY to /sendgrid.",
    "503": "Ingress cannot accept it now. See /readyz?verbose on its admin port.",
    NO_ANSWER: f"No answer within {TIMEOUT_S:.0f} s, after which Twilio gives up, too; or the connection was closed.",
    NO_CONNECTION: "Ingress accepts no more connections, or has stopped.",
}


class SendError(HooklineError):
    """A webhook could not be sent or was not accepted."""


Sign = Callable[[Webhook], WebhookRequest]
Signer = tuple[Sign, Mapping[str, str]]
"""The signing function, and the remedies by status if ingress does not accept the signature."""


def _complete(begun: str) -> list[str]:
    return [name for name in names() if name.startswith(begun)]


def send(
    what: Annotated[str, typer.Argument(help=f"{', '.join(SHORT)}; or a kind.", autocompletion=_complete, metavar="WHAT")],
    body: Annotated[str, typer.Option(help="Text of a message.")] = _GREETING,
    sender: Annotated[str, typer.Option("--from", help="Number of the sender.")] = SENDER,
    recipient: Annotated[str, typer.Option("--to", help="Number of the recipient.")] = RECIPIENT,
    senders: Annotated[int, typer.Option(min=1, max=1_000_000, help="Send from this many numbers in turn.")] = 1,
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Set any parameter; may be repeated. NAME= makes it empty.")
    ] = None,
    json_body: Annotated[
        str | None, typer.Option(metavar="JSON", help="Send this JSON instead; - reads it from standard input.")
    ] = None,
    times: Annotated[int, typer.Option(min=1, help="Number of webhooks.")] = 1,
    rate: Annotated[float, typer.Option(min=0, help="Webhooks per second; 0 sends the next as soon as an answer comes.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of concurrent requests.")] = _AT_ONCE,
    url: Annotated[str | None, typer.Option(help="URL to send to, instead of the ingress of `hookline up`.")] = None,
    via: Annotated[str | None, typer.Option(help="Sign for PUBLIC_URL, but send to this URL, bypassing the proxy.")] = None,
    token: Annotated[str | None, typer.Option(envvar=_VARIABLE, help="Auth token to sign with.")] = None,
    data: DataFolder = Path("var"),
    as_json: AsJson = False,
    yes_really: Annotated[bool, typer.Option("--yes-really", help="Allow a target that is not this machine.")] = False,
) -> None:
    """Send signed webhooks as Twilio would, and show the answers and latencies.

    Any kind of a family can be sent: `conversation.onParticipantAdded`, `taskrouter.reservation.created`. Parameters are
    realistic, and each webhook has its own SIDs. With `--rate`, a latency is measured from when the webhook was due.

    Example: `hookline send message --body hello --from +14155550123`

    Example: `hookline send message --times 10000 --senders 500 --rate 300`

    Example: `hookline send events --json-body '[{"specversion":"1.0","id":"EZ1","type":"com.example","source":"me"}]'`
    """
    read_env_file()  # it was applied already; what is wrong in it is told
    facts, template = Workspace(data).announced(), find(what)
    target = _target(facts, template, url, via, anywhere=yes_really)
    changes = _changes(template, body, recipient) | dict(map(_split, param or ()))
    factory = WebhookFactory(template, changes, [sender] if senders == 1 else numbers(senders), _read(json_body, param))
    signer = _signer(template, target, token or _token_in_file() or facts.auth_token, data)
    _send(factory, signer, target, LoadPlan(times, rate, min(concurrency, times)), as_json=as_json)


def _target(facts: StackFacts, template: WebhookTemplate, url: str | None, via: str | None, *, anywhere: bool) -> SendTarget:
    if url and via:
        raise SendError(
            "--url and --via exclude each other: --url is signed itself, --via receives what is signed for PUBLIC_URL."
        )
    target = send_target(facts, url, template.path, via)
    if not anywhere and not is_loopback(target.base):
        raise SendError(f"{target.base} is not on this machine. Add --yes-really to send there.")
    return target


def _send(factory: WebhookFactory, signer: Signer, target: SendTarget, plan: LoadPlan, *, as_json: bool) -> None:
    sign, remedies = signer
    outcome, interrupted = _run(lambda number: sign(factory.make(number)), target, plan, quiet=as_json)
    _report(outcome, plan, as_json=as_json)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    _judge(outcome, target, remedies)


def _token_in_file() -> str:
    """Return the token in the file that TWILIO_AUTH_TOKEN_FILE names, or an empty string."""
    return read_secret_files([_VARIABLE]).get(_VARIABLE, "") if not os.environ.get(_VARIABLE) else ""


def _changes(what: WebhookTemplate, body: str, recipient: str) -> dict[str, str]:
    changes = {"To": recipient} if what.sender == "From" else {}
    return changes | ({"Body": body} if what.kind == "message.received" else {})


def _split(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not name or not equals:
        raise SendError(f"--param {item!r} is not of the form NAME=VALUE.")
    return name, value


def _read(json_body: str | None, param: Sequence[str] | None) -> bytes | None:
    if json_body is None:
        return None
    if param:
        raise SendError("--json-body and --param exclude each other: --json-body is the whole body.")
    given = sys.stdin.buffer.read() if json_body == "-" else json_body.encode()
    try:
        json.loads(given)
    except (ValueError, RecursionError) as error:
        raise SendError(f"The value of --json-body is not JSON: {error}.") from None
    return given


def _signer(what: WebhookTemplate, target: SendTarget, token: str, data: Path) -> Signer:
    if what.path == SENDGRID:
        key = SendGridKey(data)
        remedy = f"Ingress accepts it if it was started with SENDGRID_PUBLIC_KEY={key.public}"
        return lambda webhook: key.sign(target.url, webhook.body, webhook.content_type), {"403": remedy, "404": remedy}
    secrets = parse_secrets(filter(None, (part.strip() for part in token.split(","))))
    if not secrets:
        raise SendError("No auth token to sign with. Start `hookline up` first, or set TWILIO_AUTH_TOKEN to that of ingress.")
    value = secrets[0].value.decode()
    return lambda webhook: sign_webhook(target.url, webhook, value), {"403": _UNVERIFIED}


def _run(make: Callable[[int], WebhookRequest], target: SendTarget, plan: LoadPlan, *, quiet: bool) -> tuple[LoadOutcome, bool]:
    """Send; return the outcome, and whether Ctrl-C interrupted it."""
    clock = SystemClock()
    with progress(plan, clock.monotonic, quiet=quiet) as show:
        generator = LoadGenerator(make, target.signed_base, target.base, clock, show)
        try:
            asyncio.run(generator.run(plan))
        except KeyboardInterrupt:
            return generator.outcome, True
    return generator.outcome, False


def _report(outcome: LoadOutcome, plan: LoadPlan, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_as_object(outcome), indent=2))
    elif plan.times > 1:
        Console().print(summary(outcome), highlight=False)
    elif latency := outcome.latencies_ms():
        (status,) = outcome.answers
        typer.echo(f"{status} {outcome.last}".rstrip() + f"  in {latency['max']:.1f} ms")


def _as_object(outcome: LoadOutcome) -> dict[str, Any]:
    """Return the output of --json. `answers` counts by status, or by the reason why there was none."""
    return {
        "sent": outcome.sent,
        "accepted": outcome.accepted,
        "answers": dict(outcome.answers),
        "seconds": round(outcome.seconds, 3),
        "per_s": round(outcome.rate, 1),
        "latency_ms": {name: round(value, 3) for name, value in outcome.latencies_ms().items()},
    }


def _judge(outcome: LoadOutcome, target: SendTarget, remedies: Mapping[str, str]) -> None:
    """Check that all were accepted.

    Raises:
        SendError: if one was not, with the remedy.

    """
    if outcome.accepted == outcome.sent:
        return
    if outcome.answers[NO_CONNECTION] == outcome.sent:
        reason = f"Nothing answers at {target.base}: {outcome.last}. Is Hookline running? Start it with `hookline up`."
        raise SendError(reason)
    failed = Counter({answer: count for answer, count in outcome.answers.items() if not answer.startswith("2")})
    ((worst, times),) = failed.most_common(1)
    with_worst = f"with {worst}" if times == failed.total() else f"most of them with {worst}"
    number = f"{failed.total():,} of {outcome.sent:,} were not accepted, {with_worst}. " if outcome.sent > 1 else ""
    raise SendError(number + {**_REMEDIES, **remedies}.get(worst, _NOT_STORED))
