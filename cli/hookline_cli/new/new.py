"""`hookline new`: a small project to begin with."""

import shlex
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer

from hookline_shared.errors import HooklineError

_TEMPLATES: Final = files("hookline_cli.new") / "project"
_DOT: Final = "dot-"
"""What file names begin with here that begin with a dot there: tools would take the others for this folder's own."""


class NewProjectError(HooklineError):
    """The project cannot be written where it should be."""


def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the project; a dot is the working folder.")],
) -> None:
    """Write a small project: handlers, a test of them, settings, and a README. Nothing that exists is overwritten.

    Example: hookline new demo
    """
    project = _project()
    try:
        _refuse_to_overwrite(folder, project)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in project.items():
            with (folder / name).open("xb") as file:
                file.write(content)
    except OSError as error:
        raise NewProjectError(f"{error.filename} cannot be written: {error.strerror}. Choose another folder.") from None
    _say_what_next(folder, list(project))


def _project() -> dict[str, bytes]:
    """Return the content of each file by its name."""
    templates = [one for one in _TEMPLATES.iterdir() if one.is_file()]
    return {one.name.replace(_DOT, ".", 1): one.read_bytes() for one in sorted(templates, key=lambda one: one.name)}


def _refuse_to_overwrite(folder: Path, project: dict[str, bytes]) -> None:
    there = [name for name in project if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        raise NewProjectError(f"{folder} already has {', '.join(there)}. Choose another folder, or move them away.")


def _say_what_next(folder: Path, names: list[str]) -> None:
    typer.echo(f"Written to {folder}: {', '.join(names)}\n\nNext:\n")
    enter = [] if folder.resolve() == Path.cwd() else [f"cd {shlex.quote(str(folder))}"]
    for command in (*enter, "pytest", "hookline up", "hookline send message --body hello   (in a second terminal)"):
        typer.echo(f"  {command}")
