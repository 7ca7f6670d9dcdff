"""Templates, and how values become text in them. Everything is escaped; what a terminal or a browser obeys is shown instead."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hookline_cli.output.durations import describe_timestamp, format_duration
from hookline_cli.output.terminal import one_line, printable

FOLDER: Final = Path(__file__).parent.parent
_SHORT: Final = 200


def make_templates() -> Environment:
    """Return the templates of the console."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "coded": _coded,
        "moment": describe_timestamp,
        "duration": format_duration,
        "short": _short,
        "thousands": _thousands,
    }
    return made


def _shown(value: Any) -> Any:
    """Return `value` as it is shown: control characters and those that turn the direction of text as escapes."""
    if value is None:
        return ""
    return value if isinstance(value, Markup) else printable(str(value))


def _short(text: str, most: int = _SHORT) -> str:
    return one_line(text, most)


def _coded(text: str) -> Markup:
    """Return `text` with what is between backticks as code."""
    parts = printable(text).split("`")
    if len(parts) % 2 == 0:  # one has no partner
        return Markup("{}").format(printable(text))
    marked = (Markup("<code>{}</code>") if nth % 2 else Markup("{}") for nth in range(len(parts)))
    return Markup("").join(form.format(part) for form, part in zip(marked, parts, strict=True))


def _thousands(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:,.1f}"
