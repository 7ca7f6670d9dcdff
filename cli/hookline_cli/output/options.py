"""Options that many commands have, the same in each."""

from pathlib import Path
from typing import Annotated

import typer

AdminPorts = Annotated[
    list[str] | None,
    typer.Option(
        "--admin", metavar="HOST:PORT", help="Admin port of a service, instead of the configured ones; may be repeated."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DataFolder = Annotated[Path, typer.Option("--data", help="Folder of `hookline up`.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
