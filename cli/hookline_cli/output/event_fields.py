"""Print an event as a list of names and values."""

from collections.abc import Mapping

import typer

from hookline_cli.output.durations import describe_timestamp
from hookline_cli.output.redaction import Redaction
from hookline_cli.output.terminal import printable
from hookline_shared.event import Event


def print_facts(facts: Mapping[str, str]) -> None:
    """Print the `facts` that have a value; a value may have several lines."""
    told = {printable(name): printable(value) for name, value in facts.items() if value}
    width = max(map(len, told), default=0)
    for name, value in told.items():
        lines = value.replace("\n", "\n" + " " * (width + 2))
        typer.echo(f"{typer.style(name.ljust(width), bold=True)}  {lines}")


def event_facts(event: Event, redaction: Redaction) -> dict[str, str]:
    """Return the metadata of `event`."""
    return {
        "event": event.id,
        "kind": event.kind,
        "key": redaction.key(event.key),
        "account": event.account,
        "accepted": describe_timestamp(event.received_at),
        "target": redaction.target(event.target),
        "content type": event.content_type,
        "signed with": event.signer,
        "trace": event.traceparent,
        "body": f"{len(event.body)} bytes",
    }


def event_object(event: Event, redaction: Redaction) -> dict[str, object]:
    """Return the same for --json. Times are Unix time in milliseconds; the body is included only if nothing is masked."""
    told: dict[str, object] = {
        "event_id": event.id,
        "kind": event.kind,
        "key": redaction.key(event.key),
        "account": event.account,
        "received_at": event.received_at,
        "target": redaction.target(event.target),
        "content_type": event.content_type,
        "signer": event.signer,
        "trace": event.traceparent,
        "body_bytes": len(event.body),
        "parameters": dict(redaction.parameters(event)),
    }
    return told | ({"body": event.body.decode(errors="replace")} if redaction.reveal else {})
