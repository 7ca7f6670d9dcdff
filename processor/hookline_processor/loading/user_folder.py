"""Where the user's modules are imported from, and which of them Python never gets to.

The working folder comes after the standard library, so that a `queue.py` in it breaks nobody, and before what is installed, so
that the user's `utils` is the user's. It is put there only once Hookline and all that it needs are imported: a module that is
loaded stays what it is, and its submodules are looked for in its own folder alone.
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

_LATER: Final = (
    "hookline",
    "hookline_processor.app",
    "hookline_processor.attempts.tracing",
    "hookline_processor.ledger.service",
    "greenlet",
    "aiosqlite",
    "asyncpg",
    "requests",
)
"""What a processor imports with the handlers, after them, or not at all: it depends on its settings."""


class HiddenModule(NamedTuple):
    """A module of the user, `file`, that is imported by none: `name` is that of another one, which comes first."""

    name: str
    file: Path

    @property
    def by(self) -> str:
        """Return what hides it."""
        return "the standard library" if self.name in sys.stdlib_module_names else "a package that Hookline needs"

    def __str__(self) -> str:
        return f"{self.file.name} in {self.file.parent} is hidden: {self.name} is a module of {self.by}. Rename yours."


class UserFolder:
    """A folder that holds modules of the user; `modules` are their files, or folders, by top-level name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules: Mapping[str, Path] = modules_in(path)

    def put_on_path(self) -> None:
        """Let modules of this folder be imported, unless a module of that name is loaded or of the standard library."""
        if any(name not in sys.modules and _is_installed(name) for name in self.modules.keys() - sys.stdlib_module_names):
            _import_the_rest()
        place = _end_of_standard_library(sys.path)
        if str(self.path) not in sys.path[:place]:
            sys.path.insert(place, str(self.path))

    def owns(self, file: str) -> bool:
        """Whether `file` is one of the user's modules, and not of a package that is installed below this folder."""
        with suppress(ValueError):
            first = Path(file).relative_to(self.path).parts[:1]
            return any(first == (module.name,) for module in self.modules.values())
        return False

    def hidden(self, files: Iterable[str] = (), wanted: str = "") -> list[HiddenModule]:
        """Return the modules that are imported in vain, since others have their names.

        It is `wanted` that is imported, and what `files` and the user's modules that are loaded import.
        """
        hidden = {name: file for name, file in self.modules.items() if self._hidden(name)}
        if not hidden:
            return []
        loaded = (place for module in list(sys.modules.values()) for place in _places(module))
        imported = {name for file in {*files, *loaded} if self.owns(file) for name in _imports(Path(file))}
        imported.add(wanted.partition(".")[0])
        return [HiddenModule(name, hidden[name]) for name in sorted(imported & hidden.keys())]

    def _hidden(self, name: str) -> bool:
        if any(map(self.owns, _places(sys.modules.get(name)))):
            return False
        both = any(self.path.glob("*.dist-info"))  # of pip's --target: the same package, here and there
        return name in sys.stdlib_module_names or (name in sys.modules and not both)


def modules_in(folder: Path) -> dict[str, Path]:
    """Return the files and folders of `folder` that Python can import, by name."""
    with suppress(OSError):
        return {file.stem: file for file in folder.iterdir() if file.stem.isidentifier() and _is_module(file)}
    return {}


def _is_module(file: Path) -> bool:
    return file.suffix == ".py" or (not file.suffix and file.is_dir() and any(file.glob("*.py")))


def _end_of_standard_library(path: list[str]) -> int:
    """Return where in `path` the standard library has come to its end."""
    library = str(Path(os.__file__).parent)
    places = (place for place, entry in enumerate(path, 1) if entry == library or Path(entry).name == "lib-dynload")
    return max(places, default=0)


def _import_the_rest() -> None:
    for name in _LATER:
        with suppress(ImportError):  # what an extra would install
            import_module(name)


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _places(module: object) -> list[str]:
    """Return where `module` was loaded from: several places for folders without __init__.py, none for what is no module."""
    attributes = getattr(module, "__dict__", {})
    file = attributes.get("__file__")
    return [file] if isinstance(file, str) else [str(place) for place in attributes.get("__path__", ())]


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
