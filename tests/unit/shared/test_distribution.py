"""What is declared to be needed: for messages to people, and against what the code imports."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Final

import pytest

from hookline_shared import distribution
from hookline_shared.distribution import install_command, requirement

ROOT: Final = Path(__file__).parents[3]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS: Final = (
    "hookline",
    "ingress/hookline_ingress",
    "processor/hookline_processor",
    "shared/hookline_shared",
    "cli/hookline_cli",
    "console/hookline_console",
)
TEMPLATES: Final = "project"
"""Files of a user's project, which `hookline new` writes."""
NEWER: Final = {"annotationlib"}
"""Modules of the standard library of a Python that is newer than this one."""
OF_OTHERS: Final = {"hiredis", "multidict", "yarl"}
"""Parts of redis and aiohttp, which say which versions of them they work with."""
NAME: Final = re.compile(r"[\w.-]+")


def names(listed: list[str]) -> set[str]:
    return {match[0].lower().replace("_", "-") for one in listed if (match := NAME.match(one))}


def imported() -> set[str]:
    """Return the top-level modules that the packages import from elsewhere."""
    found = set()
    for file in (file for folder in OURS for file in (ROOT / folder).rglob("*.py") if file.parent.name != TEMPLATES):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).partition(".")[0])
    return {name for name in found if name not in sys.stdlib_module_names and not name.startswith("hookline")}


def test_what_is_imported_is_declared() -> None:
    """Nothing is there only because something else happens to need it."""
    declared = names([*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)])
    owners = packages_distributions()
    strangers = {name for name in imported() - OF_OTHERS - NEWER if not names(owners[name]) & declared}
    assert strangers == set()


def test_internals_are_bounded_above() -> None:
    """A minor version of what is not used by its public interface alone is tried before it is allowed."""
    (aiohttp,) = [one for one in PROJECT["dependencies"] if NAME.match(one)[0] == "aiohttp"]  # type: ignore[index]
    least, _, below = aiohttp.removeprefix("aiohttp>=").partition(",<")
    major, minor = (int(part) for part in least.split(".")[:2])
    assert below == f"{major}.{minor + 1}"


def test_messages_name_what_is_declared() -> None:
    """The requirement as in pyproject.toml, and of an extra all that it stands for, the extras that it includes too."""
    assert requirement("aiohttp").startswith("aiohttp<")
    command = install_command("postgres")
    assert command.startswith("pip install 'aiosqlite>=")
    assert "'asyncpg>=" in command
    assert command.endswith("(the extra postgres of hookline)")
    assert "hookline[" not in command


def test_nobody_is_sent_to_an_index_that_has_no_hookline() -> None:
    """Until it is published, whatever an index has under this name is not ours; two pages say so."""
    told = [*(file for folder in OURS for file in (ROOT / folder).rglob("*.py")), *(ROOT / "docs").glob("*.md")]
    found = [file.name for file in told if re.search(r"pip install ['\"]?hookline\b", file.read_text())]
    assert found == ["releasing.md"]


def test_sources_alone_declare_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is installed, the names have to do."""
    monkeypatch.setattr(distribution, "_DISTRIBUTION", "hookline-that-nobody-installed")
    assert requirement("aiohttp") == "aiohttp"
    assert install_command("otel").startswith("pip install 'hookline-that-nobody-installed[otel]'")


def test_installed_metadata_are_of_this_version() -> None:
    """The editable installation is made again after pyproject.toml changed, or messages would name old bounds."""
    declared = {one.partition(" ")[0] for one in PROJECT["dependencies"]}
    listed = {one for one in requires("hookline") or [] if ";" not in one}
    assert names(list(declared)) == names(list(listed))
