"""What a process imports costs it memory and time before its first useful step. Each case is a new interpreter."""

import os
import subprocess
import sys
from typing import Final

import pytest

VERSION: Final = "import sys; sys.argv = ['hookline', '--version']; from hookline_cli.start import main; main()"
HEAVY: Final = ("aiohttp", "asyncio", "redis", "rich", "structlog", "typer")
COMMAND: Final = """
import gc, sys
from hookline_cli.start import main
sys.argv = ['hookline', 'explain', '--help']
try:
    main()
except SystemExit:
    sys.modules.update({'collected': sys} if gc.isenabled() else {})
"""
UNUSED: Final = (
    "pydantic",
    "pydantic_settings",
    "typer",
    "requests",
    "twilio",
    "cryptography.hazmat",
    "sqlalchemy",
    "xml.etree",
    "xml.sax",
    "dotenv",
    "sysconfig",
    "prometheus_async",
    "wrapt",
    "hookline_cli.main",
    "hookline_console",
    "hookline_shared.observability.telemetry",
    "jinja2",
    "argon2",
    "mcp",
)
NOT_FOR_STATUS: Final = (
    "aiohttp",
    "pydantic",
    "twilio",
    "sqlalchemy",
    "cryptography.hazmat",
    "jinja2",
    "prometheus_async",
    "wrapt",
)
LEFT_OUT: Final = ("rich", "pygments", "opentelemetry")
"""What structlog and redis-py import wherever it is installed: see `lean_imports.py`."""


def loaded(code: str, names: tuple[str, ...], **variables: str) -> list[str]:
    """Return those of `names` that are loaded after `code`, which runs with `variables`."""
    check = f"{code}\nimport sys; print(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, env={**os.environ, **variables}
    )
    return done.stdout.splitlines()[-1].split()


def test_version_loads_no_command_line() -> None:
    """Scripts ask for the version often; it needs neither the parser nor a command."""
    assert loaded(VERSION, HEAVY) == []


@pytest.mark.parametrize("wanted", ["aiohttp", "redis", "structlog"])
def test_what_is_loaded_is_seen(wanted: str) -> None:
    """The check itself finds what is there."""
    assert loaded("import hookline_ingress.app", (wanted,)) == [wanted]


@pytest.mark.parametrize(("service", "left_out"), [("ingress", LEFT_OUT), ("processor", ())])
def test_service_loads_no_more_than_it_needs(service: str, left_out: tuple[str, ...]) -> None:
    """Each of these costs half a megabyte to twelve, and up to a tenth of the start, for something that is not switched on."""
    start = f"from hookline_cli.start import serve; assert serve({service!r}) == 2; import hookline_{service}.app"
    assert loaded(start, (*UNUSED, *left_out), LOG_LEVEL="none") == []


def test_command_collects_garbage() -> None:
    """The collector pauses during the imports only: `hookline up` and the console run for months."""
    assert loaded(COMMAND, ("collected",)) == ["collected"]


def test_status_loads_no_client_of_http_but_one() -> None:
    """Half a second is long for a command that people repeat; aiohttp would be a fifth of it."""
    assert loaded("import hookline_cli.main, hookline_cli.status.status", NOT_FOR_STATUS) == []
