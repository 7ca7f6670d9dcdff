"""The import path of a process of Hookline: what PYTHONPATH names comes after installed packages.

A container with handlers may have packages of its own in PYTHONPATH, in other versions than those that Hookline was tested
with. Python searches them first, so `redis` of the handlers would be imported in place of Hookline's.
"""

import os
import sys
from collections.abc import Mapping, MutableSequence
from typing import Final

_OWN: Final = ("hookline", "hookline_shared", "hookline_ingress", "hookline_processor", "hookline_cli")


def defer_python_path(environment: Mapping[str, str] = os.environ, path: MutableSequence[str] = sys.path) -> None:
    """Move the entries of PYTHONPATH in `path` to its end, except those with packages of Hookline. Call it before imports."""
    named = {os.path.abspath(entry) for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry}  # noqa: PTH100
    deferred = [entry for entry in path if entry in named and not _has_hookline(entry)]
    path[:] = [*(entry for entry in path if entry not in deferred), *deferred]


def _has_hookline(folder: str) -> bool:
    return any(os.path.isfile(os.path.join(folder, name, "__init__.py")) for name in _OWN)  # noqa: PTH113, PTH118 - pathlib is slow
