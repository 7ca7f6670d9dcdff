"""`hookline forward test`: one signed sample to an app, with the whole request and answer."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec.structs import replace

from hookline_cli.forward.trial import Outcome, Trial, TrialError, attempt, outcome_of
from hookline_cli.output.options import AsJson, DataFolder
from hookline_cli.send.templates import find
from hookline_cli.settings.running import find_running
from hookline_processor.replies.message import Message, Reply
from hookline_processor.settings import ProcessorSettings
from hookline_processor.testkit.deliver import make_event
from hookline_shared.catalogue.kinds import kind_of
from hookline_shared.event import Event
from hookline_shared.forwards import EVERYTHING, Forward, forward_of
from hookline_shared.lifecycle.service import EXIT_FAILED
from hookline_shared.live import Live, marked, waits

_GREETING: Final = "Hello from hookline forward test"
_LONGEST_SHOWN: Final = 2000
_LIVE: Final = Live(60)
_SIGNER: Final = "token1"


def try_app(
    what: Annotated[str, typer.Argument(help="message, call, status or another name of `hookline send`.")] = "message",
    path: Annotated[str | None, typer.Option(help="Path and query that Twilio calls; the first forward's by default.")] = None,
    body: Annotated[str, typer.Option(help="Text of a message.")] = _GREETING,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Set any parameter; may be repeated.")] = None,
    data: DataFolder = Path("var"),
    as_json: AsJson = False,
) -> None:
    """Send one signed sample to your app, and show request, answer, and what Hookline would do with it.

    It goes straight to the app, not through ingress and Redis. The app handles it like any other; no reply is sent to anybody.

    Example: `hookline forward test`

    Example: `hookline forward test call --path /app/menu --param Digits=1`
    """
    settings = ProcessorSettings.load(find_running(data).adopted)
    forward, target = _chosen(settings.forwards, path)
    changes = {"Body": body} if find(what).kind == "message.received" else {}
    event = _sample(what, target, changes, param or (), live=forward.live)
    trial = asyncio.run(attempt(forward, event, settings.signing))
    outcome = outcome_of(trial, event, settings.signing)
    if as_json:
        typer.echo(json.dumps(_as_object(trial, outcome), indent=2))
    else:
        typer.echo("\n".join(_lines(trial, outcome)))
    if outcome.problem:
        raise typer.Exit(EXIT_FAILED)


def _chosen(forwards: Sequence[Forward], path: str | None) -> tuple[Forward, str]:
    """Return the forward to try, and the path that Twilio would call.

    Raises:
        TrialError: if there is none.

    """
    if not forwards:
        raise TrialError("Nothing is forwarded. Set FORWARD_URL, or a [[forward]] in the TOML file.")
    target = path or next((one.path for one in forwards if one.path != EVERYTHING), EVERYTHING)
    found = forward_of(forwards, target)
    if found is None:
        raise TrialError(
            f"No forward covers {target}. They cover {', '.join(one.path for one in forwards)}, and what is below."
        )
    return found, target


def _sample(what: str, target: str, changes: dict[str, str], params: Sequence[str], *, live: bool) -> Event:
    for item in params:
        name, equals, value = item.partition("=")
        if not name or not equals:
            raise TrialError(f"--param {item!r} is not of the form NAME=VALUE.")
        changes[name] = value
    event = replace(make_event(find(what).kind, **changes), target=target, signer=_SIGNER)
    kind = kind_of(event.kind)
    is_live = live and kind is not None and waits(kind)
    return replace(event, dedupe_key=marked(event.dedupe_key, _LIVE)) if is_live else event


def _lines(trial: Trial, outcome: Outcome) -> list[str]:
    request, answer = trial.request, trial.answer
    lines = [f"> {request.method} {request.url}", *(f"> {name}: {value}" for name, value in request.headers.items())]
    lines += [">", *(f"> {line}" for line in request.body.decode(errors="replace").splitlines()), ""]
    if answer is not None:
        lines += [
            f"< {answer.status} in {trial.seconds * 1000:.0f} ms",
            *(f"< {name}: {value}" for name, value in _headers(trial)),
        ]
        lines += ["<", *(f"< {line}" for line in answer.text[:_LONGEST_SHOWN].splitlines()), ""]
    return [*lines, *_verdict(outcome)]


def _headers(trial: Trial) -> list[tuple[str, str]]:
    answer = trial.answer
    assert answer is not None  # noqa: S101 - the caller has looked
    named = {"Content-Type": answer.content_type, "Retry-After": answer.retry_after, "Location": answer.location}
    return [*((name, value) for name, value in named.items() if value), *(("Set-Cookie", cookie) for cookie in trial.cookies)]


def _verdict(outcome: Outcome) -> list[str]:
    if outcome.problem:
        return [f"The app did not accept it. {outcome.problem}"]
    if outcome.is_answer:
        return ["The app accepted it. Twilio would get the answer as it is."]
    lines = [f"The app accepted it. {_count(outcome.replies)}", *map(_described, outcome.replies)]
    return lines + ([f"Note: {outcome.finding}."] if outcome.finding else [])


def _count(replies: Sequence[Reply | Message]) -> str:
    if not replies:
        return "Hookline would send nothing."
    return f"Hookline would send {len(replies)} message{'s' if len(replies) > 1 else ''}:"


def _described(reply: Reply | Message) -> str:
    to = f"to {reply.to}" if isinstance(reply, Message) else "to whoever wrote"
    media = f", with {len(reply.media)} media" if reply.media else ""
    return f"  {to}: {reply.body}{media}"


def _as_object(trial: Trial, outcome: Outcome) -> dict[str, Any]:
    """Return the output of --json."""
    request, answer = trial.request, trial.answer
    return {
        "request": {
            "method": request.method,
            "url": request.url,
            "headers": request.headers,
            "body": request.body.decode(errors="replace"),
        },
        "answer": answer
        and {
            "status": answer.status,
            "headers": dict(_headers(trial)),
            "body": answer.text,
            "seconds": round(trial.seconds, 3),
        },
        "accepted": not outcome.problem,
        "problem": outcome.problem,
        "finding": outcome.finding,
        "replies": [{"to": getattr(one, "to", ""), "body": one.body, "media": list(one.media)} for one in outcome.replies],
    }
