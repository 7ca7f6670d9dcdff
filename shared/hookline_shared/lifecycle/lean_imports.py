"""Imports structlog and redis-py without libraries that they import wherever these are installed, but that ingress never uses.

structlog imports rich, to format exceptions that are text by the time they reach it; redis-py imports OpenTelemetry's SDK, for
metrics of its own. Neither has a setting for it. Both take their absence, an `ImportError`, as the normal case. Together they
are a sixth of the time of a start, and 6 MB.

None in `sys.modules` is Python's own way to make an import fail:
https://docs.python.org/3/reference/import.html#the-module-cache. The entry exists only during the import of the one library, so
other imports do not see it. The processor does not use this: handlers may want these parts of structlog and redis-py.
"""

import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Final

_LEFT_OUT: Final[Mapping[str, str]] = {"structlog": "rich", "redis.asyncio": "opentelemetry"}
"""What is left out by the library that imports it."""


def import_lean() -> None:
    """Import the libraries. If one cannot be imported so, it is left to its next import, which leaves out nothing."""
    for library, left_out in _LEFT_OUT.items():
        if left_out not in sys.modules:
            _import_without(left_out, library)


def _import_without(left_out: str, library: str) -> None:
    modules: dict[str, object] = sys.modules  # type: ignore[assignment] # None is an allowed value
    modules[left_out] = None
    try:
        with suppress(ImportError):
            import_module(library)
    finally:
        del modules[left_out]
