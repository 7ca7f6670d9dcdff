"""The folder of the user's modules: its place on the import path, and modules in it that others hide.

The folder comes after the standard library, so that a `queue.py` in it breaks nothing, and before installed packages, so that
`import utils` finds the user's module. It is added after Hookline and its dependencies are imported: a loaded module stays
loaded, and its submodules are searched only in its own folder.
"""

import ast
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

_LATE_IMPORTS: Final = (
    "hookline",
    "hookline_processor.app",
    "hookline_processor.attempts.tracing",
    "hookline_processor.ledger.service",
    "prometheus_async.aio.web",
    "greenlet",
    "aiosqlite",
    "asyncpg",
    "requests",
)
"""Modules that the processor imports with the handlers or after them, depending on its settings."""


class HiddenModule(NamedTuple):
    """A user's module, `file`, that cannot be imported because another module called `name` comes first."""

    name: str
    file: Path

    @property
    def by(self) -> str:
        """What hides it, for messages."""
        return "the standard library" if self.name in sys.stdlib_module_names else "a package that Hookline needs"

    def __str__(self) -> str:
        return f"{self.file.name} in {self.file.parent} is hidden: {self.name} is a module of {self.by}. Rename yours."


class UserFolder:
    """A folder with modules of the user. `modules` maps top-level names to files or folders."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules: Mapping[str, Path] = modules_in(path)

    def put_on_path(self) -> None:
        """Add this folder to the import path, after the standard library."""
        if any(name not in sys.modules and _is_installed(name) for name in self.modules.keys() - sys.stdlib_module_names):
            _import_late_modules()
        position = _end_of_standard_library(sys.path)
        if str(self.path) not in sys.path[:position]:
            sys.path.insert(position, str(self.path))

    def owns(self, file: str) -> bool:
        """Whether `file` belongs to the user's modules and not to a package that is installed below this folder."""
        with suppress(ValueError):
            first = Path(file).relative_to(self.path).parts[:1]
            return any(first == (module.name,) for module in self.modules.values())
        return False

    def hidden(self, files: Iterable[str] = (), module: str = "") -> list[HiddenModule]:
        """Return the hidden modules among `module` and the modules that `files` and the loaded user modules import."""
        hidden = {name: file for name, file in self.modules.items() if self._is_hidden(name)}
        if not hidden:
            return []
        loaded = (location for loaded_module in list(sys.modules.values()) for location in _locations(loaded_module))
        imported = {name for file in {*files, *loaded} if self.owns(file) for name in _imports(Path(file))}
        imported.add(module.partition(".")[0])
        return [HiddenModule(name, hidden[name]) for name in sorted(imported & hidden.keys())]

    def _is_hidden(self, name: str) -> bool:
        if any(map(self.owns, _locations(sys.modules.get(name)))):
            return False
        installed_here = any(self.path.glob("*.dist-info"))  # made by `pip install --target`: the same package in both places
        return name in sys.stdlib_module_names or (name in sys.modules and not installed_here)


def modules_in(folder: Path) -> dict[str, Path]:
    """Return the files and folders in `folder` that Python can import, by name."""
    with suppress(OSError):
        return {file.stem: file for file in folder.iterdir() if file.stem.isidentifier() and _is_module(file)}
    return {}


def _is_module(file: Path) -> bool:
    return file.suffix == ".py" or (not file.suffix and file.is_dir() and any(file.glob("*.py")))


def _end_of_standard_library(path: list[str]) -> int:
    """Return the index in `path` after the last entry of the standard library."""
    library = str(Path(os.__file__).parent)
    places = (position for position, entry in enumerate(path, 1) if entry == library or Path(entry).name == "lib-dynload")
    return max(places, default=0)


def _import_late_modules() -> None:
    for name in _LATE_IMPORTS:
        with suppress(ImportError):  # installed only with an extra
            import_module(name)


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _locations(module: object) -> list[str]:
    """Return where `module` was loaded from: several folders for a namespace package, none for an object without a file."""
    attributes = getattr(module, "__dict__", {})
    file = attributes.get("__file__")
    return [file] if isinstance(file, str) else [str(folder) for folder in attributes.get("__path__", ())]


def _imports(file: Path) -> Iterator[str]:
    """Yield the top-level names that the Python file `file` imports."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, ValueError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
