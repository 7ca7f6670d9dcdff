"""Makes an installation small: `python shrink.py`, in the build of the image.

Nothing can be written where the image runs, so modules are compiled here, or they would be at every start. But of large
packages, of which Hookline loads little, only that little is compiled: to import more of them takes a little longer. What is
compiled is told by content, not by time, so that the same sources make the same layer. Tests of packages and debug symbols go.
"""

import compileall
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from py_compile import PycInvalidationMode

OWN = ("hookline", "hookline_shared", "hookline_ingress", "hookline_processor", "hookline_cli", "hookline_console")
LARGE = ("twilio", "sqlalchemy", "pygments")
"""Packages of more than 5 MB of Python, of which Hookline loads less than a half."""
LATE = ("sqlalchemy.dialects.postgresql.asyncpg", "sqlalchemy.dialects.sqlite.aiosqlite")
"""What SQLAlchemy imports for the URL of a database."""
RUN = ("__main__", ".migrations.env")
"""Ends of the names of modules that do something when they are imported."""
LACKING = (".testkit.pytest_plugin", ".mcp.server")
"""Ends of the names of modules that import what the image does not have: test tools, and the extra `mcp`."""
TESTS = ("test", "tests")


def main() -> int:
    """Shrink the packages of this interpreter; return the exit code."""
    site = Path(sysconfig.get_path("purelib"))
    for folder in [*site.glob("test"), *(found for name in TESTS for found in site.glob(f"*/{name}"))]:
        shutil.rmtree(folder)
    loaded = files_that_hookline_loads()
    compiled = [compile_file(file) for file in to_compile(site, loaded)]
    subprocess.run(["/usr/bin/strip", "--strip-unneeded", *site.rglob("*.so")], check=True)  # noqa: S603 - packages that are locked
    return 0 if compiled and all(compiled) else 1


def files_that_hookline_loads() -> set[Path]:
    """Import every module of Hookline that the image can; return the files of all modules that are loaded then."""
    for package in OWN:
        found = walk_packages(import_module(package).__path__, f"{package}.")
        for name in sorted(module.name for module in found if not module.name.endswith((*RUN, *LACKING))):
            import_module(name)
    for name in LATE:
        import_module(name)
    return {Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}


def to_compile(site: Path, loaded: set[Path]) -> Iterator[Path]:
    """Yield the files below `site` that are compiled."""
    for file in sorted(site.rglob("*.py")):
        if file.relative_to(site).parts[0] not in LARGE or file in loaded:
            yield file


def compile_file(file: Path) -> bool:
    """Compile one file; return whether it could be."""
    return bool(compileall.compile_file(file, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH))


if __name__ == "__main__":
    sys.exit(main())
