"""`hookline config`: every setting with its value, source and meaning."""

import json
from collections.abc import Iterable
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hookline_cli.output.options import AsJson, DataFolder
from hookline_cli.settings.rows import (
    DEFAULT,
    ENV,
    ENVIRONMENT,
    FILE,
    IN_A_FILE,
    UP,
    Row,
    Sources,
    ignored,
    problems,
    rows,
    secrets,
    variables,
)
from hookline_cli.settings.running import find_running
from hookline_shared.lifecycle.service import EXIT_SETTINGS
from hookline_shared.settings.secret_files import SUFFIX

_COLOURS: Final = {ENVIRONMENT: "cyan", UP: "green", ENV: "cyan", IN_A_FILE: "cyan", FILE: "magenta", DEFAULT: "dim"}
_WIDTH: Final = 128
_LONGEST: Final = 60
"""Characters of a route's TwiML that are shown."""


class Service(StrEnum):
    """The service that reads a setting."""

    INGRESS = "ingress"
    PROCESSOR = "processor"
    CONSOLE = "console"


def config(
    service: Annotated[Service | None, typer.Option(help="Only settings that this service reads.")] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only settings that differ from the default.")] = False,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table of docs/settings.md instead.")] = False,
    env: Annotated[bool, typer.Option("--env", help="Print every setting as in .env.example instead.")] = False,
    data: DataFolder = Path("var"),
) -> None:
    """Show every setting with its value, its source and its meaning.

    If `hookline up` runs in this folder, its settings are shown; variables in the environment take precedence.

    Secrets, such as the password in REDIS_URL, are masked. Invalid settings are listed at the end.

    Example: `PROCESSOR_CONCURRENCY=20 hookline config --changed`

    Example: `hookline config --service processor --json`
    """
    if markdown or env:
        typer.echo(markdown_table() if markdown else env_lines(), nl=False)
        return
    adopted = find_running(data).adopted
    sources = Sources.now(adopted)
    shown = [row for row in rows(sources) if _wanted(row, service, changed=changed)]
    mistakes = problems([service] if service else list(Service), adopted)
    warnings = [*sources.unknown_names(variables()), *ignored(adopted)]
    if as_json:
        typer.echo(json.dumps(_as_object(shown, mistakes, warnings), indent=2))
    else:
        _show(shown, mistakes, warnings)
    if mistakes:
        raise typer.Exit(EXIT_SETTINGS)


def markdown_table() -> str:
    """Return the table of docs/settings.md."""
    lines = ["| setting | read by | default | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{row.variable}` | {row.service or 'both'} | {row.default and f'`{row.default}`'} | {row.meaning} |"
        for row in rows(Sources.none())
    ]
    return "\n".join(lines) + "\n"


def env_lines() -> str:
    """Return every setting with its meaning and its default, commented out, as an .env file has it."""
    lines: list[str] = []
    for service, settings in groupby(rows(Sources.none()), key=lambda row: row.service):
        lines += ["", f"# --- {service or 'both services'} ".ljust(_WIDTH, "-"), ""]
        for row in settings:
            better = f". Better in a file, which {row.variable}{SUFFIX} names" if row.variable in secrets() else ""
            lines += wrap(f"{row.meaning}{better}.", _WIDTH, initial_indent="# ", subsequent_indent="# ")
            lines.append(f"#{row.variable}={'' if row.default == 'required' else row.default}")
    return "\n".join(lines) + "\n"


def _wanted(row: Row, service: Service | None, *, changed: bool) -> bool:
    if changed and row.right and row.source == DEFAULT:
        return False
    return not service or row.service in ("", service)


def _as_object(shown: Iterable[Row], mistakes: list[str], warnings: list[str]) -> dict[str, Any]:
    """Return the output of --json. `value` is as in the TOML file, null if there is none; `service` is null if both read it."""
    settings = [row._asdict() | {"service": row.service or None, "source": row.source or None} for row in shown]
    return {"settings": settings, "problems": mistakes, "warnings": warnings}


def _show(shown: Iterable[Row], mistakes: list[str], warnings: list[str]) -> None:
    console = Console()
    table = Table(
        "setting", "value and meaning", "source", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False
    )
    table.columns[0].no_wrap = True
    table.columns[1].overflow = "fold"
    for row in shown:
        table.add_row(_name(row), _explained(row), _source(row))
    console.print(table, highlight=False)
    for label, colour, lines in (("warning", "yellow", warnings), ("problem", "red", mistakes)):
        for line in lines:
            console.print(Text.assemble((label, colour), " ", line), soft_wrap=not console.is_terminal)


def _name(row: Row) -> Text:
    if not row.right:
        return Text(row.variable, "bold red")
    return Text(row.variable, "" if row.source == DEFAULT else "bold")


def _explained(row: Row) -> Text:
    value = as_text(row.value)
    shown = Text(value or "not set", "dim" if not value or row.source == DEFAULT else "bold")
    if not row.right:
        shown.append("  invalid" if row.source else "  required", "red")
    shown.append(f"\n{row.meaning}", "dim")
    if row.default and row.source not in (DEFAULT, "") and row.default != "required":
        shown.append(f". Default: {row.default}", "dim")
    return shown


def _source(row: Row) -> Text:
    return Text(row.source, _COLOURS.get(row.source, ""))


def as_text(value: Any) -> str:
    """Return a value as text: lists as in the environment; topics, alerts and routes on a line each."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return "\n".join(f"{name}: {(_limit if 'threshold' in table else _topic)(table)}" for name, table in value.items())
    if isinstance(value, list):
        return "\n".join(map(_route, value)) if value and isinstance(value[0], dict) else ",".join(map(str, value))
    return str(value)


def _topic(topic: dict[str, Any]) -> str:
    text = f"weight {topic['weight']}"
    text += f", {topic['concurrency']} handlers at once" if topic["concurrency"] else ""
    return text + ("" if topic["ordered"] else ", not ordered")


def _limit(limit: dict[str, Any]) -> str:
    if not limit["enabled"]:
        return "off"
    text = f"{limit['level']} at {limit['threshold']:g} for {limit['for_s']:g} s, clear at {limit['clear']:g}"
    return text + (f", over {limit['window_s']:g} s" if limit["window_s"] else "")


def _route(route: dict[str, Any]) -> str:
    return f"{route['path']}: {', '.join(_clause(name, value) for name, value in route.items() if name != 'path')}"


def _clause(name: str, value: Any) -> str:
    return _reply(value) if name == "reply" else f"{name} {value}"


def _reply(reply: dict[str, Any]) -> str:
    body: str = reply["body"]
    shown = f"{body[:_LONGEST]}{'…' * (len(body) > _LONGEST)}"
    return " ".join(["reply", str(reply["status"]), *([reply["type"], shown] if body else [])])
