"""`hookline config`: every setting, its value, default and meaning."""

from collections.abc import Iterator
from typing import Annotated, NamedTuple

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingress.settings import IngressSettings
from processor.settings import ProcessorSettings
from shared.settings import CONFIG_VARIABLE, SharedSettings

_HIDDEN = "********"


class Row(NamedTuple):
    """One setting. `value` is masked if it is a secret, and empty if it is not set or wrong."""

    variable: str
    value: str
    default: str
    meaning: str


def config(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table of docs/settings.md instead.")] = False,
) -> None:
    """Show every setting with its value, default and meaning. Secrets are masked.

    Example: PROCESSOR_CONCURRENCY=20 hookline config
    """
    if markdown:
        typer.echo(markdown_table(), nl=False)
        return
    table = Table("setting", "value", "default", "meaning")
    for row in rows():
        table.add_row(*map(escape, row))
    Console().print(table)


def markdown_table() -> str:
    """Give the table of docs/settings.md."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    lines += [f"| `{row.variable}` | {row.default and f'`{row.default}`'} | {row.meaning} |" for row in rows()]
    return "\n".join(lines) + "\n"


def rows() -> Iterator[Row]:
    """Give every setting once, those of both services first."""
    yield Row(CONFIG_VARIABLE, "", "", "A TOML file with any of these settings; the environment wins")
    shown: set[str] = set()
    for settings in (SharedSettings, IngressSettings, ProcessorSettings):
        values = _values(settings)
        for name, field in settings.model_fields.items():
            variable = str(field.validation_alias)
            if variable not in shown:
                shown.add(variable)
                yield Row(variable, _value(values.get(name), field), _default(field), field.description or "")


def _values(settings: type[SharedSettings]) -> dict[str, object]:
    try:
        return dict(settings())
    except ValidationError:
        return {}


def _value(value: object, field: FieldInfo) -> str:
    if value is None:
        return ""
    if not field.repr:
        return _HIDDEN
    return ",".join(map(str, value)) if isinstance(value, tuple | dict) else str(value)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    return "" if field.default in (None, (), {}) else str(field.default)
