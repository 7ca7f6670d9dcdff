"""What a process imports costs it memory and time before its first useful step. Each case is a new interpreter."""

import subprocess
import sys
from typing import Final

import pytest

VERSION: Final = "import sys; sys.argv = ['hookline', '--version']; from hookline_cli.start import main; main()"
HEAVY: Final = ("aiohttp", "asyncio", "redis", "rich", "structlog", "typer")


def loaded(code: str, names: tuple[str, ...]) -> list[str]:
    """Return those of `names` that are loaded after `code`."""
    check = f"{code}\nimport sys; print(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


def test_version_loads_no_command_line() -> None:
    """Scripts ask for the version often; it needs neither the parser nor a command."""
    assert loaded(VERSION, HEAVY) == []


@pytest.mark.parametrize("wanted", ["aiohttp", "redis", "structlog"])
def test_what_is_loaded_is_seen(wanted: str) -> None:
    """The check itself finds what is there."""
    assert loaded("import hookline_ingress.app", (wanted,)) == [wanted]


@pytest.mark.parametrize("service", ["ingress", "processor"])
def test_service_loads_no_more_than_it_needs(service: str) -> None:
    """Each of these costs half a megabyte to twelve, and up to a tenth of the start, for something that is not switched on."""
    code = f"import hookline_{service}.main, hookline_{service}.app"
    unused = (
        "pydantic",
        "pydantic_settings",
        "typer",
        "requests",
        "twilio",
        "cryptography.hazmat",
        "sqlalchemy",
        "xml.etree",
        "dotenv",
        "sysconfig",
        "hookline_console",
        "jinja2",
        "argon2",
        "mcp",
    )
    assert loaded(code, (*unused, "hookline_cli", "hookline_shared.observability.telemetry")) == []


def test_status_loads_no_client_of_http_but_one() -> None:
    """Half a second is long for a command that people repeat; aiohttp would be a fifth of it."""
    assert loaded("import hookline_cli.main, hookline_cli.status.status", ("aiohttp", "pydantic", "twilio", "sqlalchemy")) == []
